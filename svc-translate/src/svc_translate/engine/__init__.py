"""Engines that translate sentences and detect languages, behind `base.py`."""
