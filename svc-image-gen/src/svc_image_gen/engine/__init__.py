"""The models that draw."""
