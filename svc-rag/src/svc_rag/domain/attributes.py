"""Filters over the attributes of a store's files, as OpenAI writes them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from servicekit.errors import BadRequest

MAX_DEPTH = 8
MAX_FILTERS = 64
Attributes = Mapping[str, Any]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "in": lambda a, b: a in b,
    "nin": lambda a, b: a not in b,
}


def check(given: Any, depth: int = 0) -> None:
    """Raise BadRequest for a filter that cannot be read."""
    kind = given.get("type") if isinstance(given, Mapping) else None
    if depth > MAX_DEPTH:
        raise _wrong(f"are nested more than {MAX_DEPTH} deep")
    if kind in ("and", "or"):
        inner = given.get("filters")
        if not isinstance(inner, list) or not 0 < len(inner) <= MAX_FILTERS:
            raise _wrong(f"of the type '{kind}' need 1 to {MAX_FILTERS} 'filters'")
        for one in inner:
            check(one, depth + 1)
        return
    if kind not in _COMPARE:
        raise _wrong(f"have the type '{str(kind)[:20]}'; it can be and, or, {', '.join(_COMPARE)}")
    value = given.get("value")
    several = kind in ("in", "nin")
    plain = (str, int, float, bool)
    good = isinstance(value, list) and len(value) <= 1000 if several else isinstance(value, plain)
    if not isinstance(given.get("key"), str) or not good:
        raise _wrong(f"of the type '{kind}' need a 'key' and a 'value'")


def matches(attributes: Attributes, given: Mapping[str, Any]) -> bool:
    """Tell whether a file with these attributes passes a checked filter; what it has not passes only `ne`, `nin`."""
    kind = given["type"]
    if kind in ("and", "or"):
        return (all if kind == "and" else any)(matches(attributes, one) for one in given["filters"])
    if given["key"] not in attributes:
        return kind in ("ne", "nin")
    try:
        return _COMPARE[kind](attributes[given["key"]], given["value"])
    except TypeError:  # a number and a text
        return False


def _wrong(what: str) -> BadRequest:
    return BadRequest(f"'filters' {what}.", param="filters")
