"""What can go wrong around a session system."""
