"""Starts and stops the whole stack on one computer, without containers.

`python -m deploy.run up` needs Python 3.11 alone: until `.venv` exists only the standard library is
imported. Knows what the services are called and where they listen, and nothing of what they do.
"""
