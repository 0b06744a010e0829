"""Durable stores, and what goes wrong in real ones: three sound stores, each with bugs planted in subclasses of it."""
