"""Fetching what a URL in a request names, without becoming a door into the own network.

Owns which URLs are followed, the address check, the size limit and the deadline. Knows nothing about
what is in the content.
"""

from servicekit.fetch.client import Fetched, fetch
from servicekit.fetch.errors import UrlNotAllowed, UrlTooLarge, UrlUnreachable, UrlWrongType

__all__ = ["Fetched", "UrlNotAllowed", "UrlTooLarge", "UrlUnreachable", "UrlWrongType", "fetch"]
