"""Lets `python -m pytest_sessionguard` do what the command `sessionguard` does."""

from pytest_sessionguard.cli import main

if __name__ == "__main__":
    main()
