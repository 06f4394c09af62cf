"""Whose pages may change something where no credentials are asked for.

With `AUTH=off` a browser needs none to be let in, so a page of any site could send it here. (With
credentials asked for there is no such way: services know no cookies, and a page has no key.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from servicekit.errors import Forbidden

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""


class OriginNotAllowed(Forbidden):
    """Another site's page tried to change something."""

    code = "origin_not_allowed"


def check_origin(method: str, headers: Mapping[str, str], allowed: Sequence[str]) -> None:
    """Refuse a change that a page of another site sends.

    Args:
        headers: the request's.
        allowed: origins of the settings (`CORS_ORIGINS`).

    Raises:
        OriginNotAllowed: the page is neither this service's own nor on the list.
    """
    if method in SAFE_METHODS:
        return
    headers = {name.lower(): value for name, value in headers.items()}
    origin, site = headers.get("origin", ""), headers.get("sec-fetch-site", "")
    own = {f"{scheme}://{headers.get('host', '').lower()}" for scheme in ("http", "https")}
    if origin and "*" not in allowed and origin.lower() not in own | {o.rstrip("/").lower() for o in allowed}:
        raise OriginNotAllowed(f"Pages of '{origin[:80]}' may not do this. Add it to CORS_ORIGINS.")
    if not origin and site not in ("", "same-origin", "none"):
        raise OriginNotAllowed("Pages of other sites may not do this.")
