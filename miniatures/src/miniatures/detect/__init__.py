"""The detector: a small RT-DETR that puts boxes around shapes."""
