"""Oficina's gateway: identity, routing, limits, cache and one truthful view of all services."""
