"""Session managers that the harness is tried on: correct ones of many habits, and broken ones, each broken in one way."""
