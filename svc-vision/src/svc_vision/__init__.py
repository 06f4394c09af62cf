"""Captions, detections, classes and pixel analysis of pictures."""
