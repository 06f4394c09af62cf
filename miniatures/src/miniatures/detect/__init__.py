"""The detector: a small YOLOS that puts boxes around shapes."""
