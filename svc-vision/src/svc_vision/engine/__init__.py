"""Engines that caption, detect and classify, behind `base.py`."""
