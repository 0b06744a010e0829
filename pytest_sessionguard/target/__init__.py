"""The manager under test: what a profile says of it, read and checked before anything runs."""
