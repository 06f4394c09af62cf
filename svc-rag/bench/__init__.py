"""Measurements of svc-rag that print tables; none of them is a timed test."""
