"""Broken managers: each file takes a correct one and breaks one thing, which its docstring names."""
