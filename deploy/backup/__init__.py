"""One archive of everything that a stack keeps, made while it runs, put back whole or not at all.

Stdlib only and without knowledge of how a stack is started: the same code runs for `make up` and, in a
container over the named volumes, for Docker. `commands.py` is what the runner calls.
"""
