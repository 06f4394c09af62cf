"""Parsers, embedding models, stores and the other server: what the domain reaches through base.py."""
