"""Runs Python that a model wrote, in a sandbox without network, and gives back output, charts and files."""
