"""Explores what could happen: who runs next, and how a target answers under each order."""
