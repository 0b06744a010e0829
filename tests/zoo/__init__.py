"""Session managers that the harness is tried on: correct ones of many habits, and ones each broken in one way."""
