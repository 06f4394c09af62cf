"""Sandboxes: bubblewrap, the filter of system calls, the one pipe into each."""
