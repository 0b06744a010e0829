"""One file a command: parse the arguments, call, tell the exit status; nothing else.

Each file exports COMMAND, and is found by its name.  What is heavy is imported when the command runs, not before.
"""
