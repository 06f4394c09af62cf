"""Readers of files, each in its own module; all run in a child process with limits (isolated.py)."""
