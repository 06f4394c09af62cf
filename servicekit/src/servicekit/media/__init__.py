"""Generated pictures and audio: kept atomically, served to their owner alone, swept by age.

Owns files under one root. Knows nothing about what made them.
"""

from servicekit.media.api import router
from servicekit.media.links import Links
from servicekit.media.own import OwnMedia
from servicekit.media.store import MediaItem, MediaStore
from servicekit.media.web import blueprint

__all__ = ["Links", "MediaItem", "MediaStore", "OwnMedia", "blueprint", "router"]
