"""What the command returns to its shell."""

DONE = 0
FAILED = 1
STOPPED = 130
"""Ctrl-C ended it: 128 and the signal's number, as shells have it."""
