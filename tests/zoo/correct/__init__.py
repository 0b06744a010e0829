"""Correct managers, one a file, each with its profile beside it; none of them may ever be accused."""
