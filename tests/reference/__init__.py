"""Tests of the reference system."""
