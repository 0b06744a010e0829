"""Crash detection and recovery of the reference system."""
