"""How large a template's values may be, and what an operation would make of them. Knows no Jinja environment."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

from jinja2.utils import Namespace

MAX_CHARS = 8_000_000
"""Most characters of a value, nested ones counted each time they appear."""
MAX_ITEMS = 50_000
"""Most values in a value, counted likewise."""
MAX_DEPTH = 64
MAX_NUMBER_BITS = 4096
MAX_INDENT = 64
"""A lazy list's length is not known beforehand: what stands between its texts is short."""


class TooMuch(Exception):
    """A template wants more steps, time or room than it may have; the text continues 'was stopped: '."""


def size(value: Any) -> tuple[int, int]:
    """Return how many values and characters `value` holds, as if it were printed; raises TooMuch."""
    items = chars = 0
    rest = [(value, 0)]
    while rest:
        one, depth = rest.pop()
        if isinstance(one, (str, bytes)):
            chars += len(one)
            fits(chars)
            continue
        inner = _inner(one)
        if inner is None:
            continue
        items += len(inner)
        if items > MAX_ITEMS or depth > MAX_DEPTH:
            raise TooMuch("it makes too large a value")
        rest.extend((part, depth + 1) for part in inner)
    return items, chars


def fits(chars: int) -> None:
    """Check the length of a text that is there or would be made; raises TooMuch."""
    if chars > MAX_CHARS:
        raise TooMuch("it makes too long a text")


def check_operator(operator: str, left: Any, right: Any) -> None:
    """Check what `left operator right` would make, before it is made; raises TooMuch."""
    if operator == "%" and isinstance(left, str):
        raise TooMuch("texts are not formatted by '%' here")
    if operator == "**":
        _small(max(1, _bits(left)) * (abs(right) if isinstance(right, (int, float)) else 1))
    if operator == "*":
        _small(_bits(left) + _bits(right))
        for many, times in ((left, right), (right, left)):
            if isinstance(times, int) and not isinstance(many, (int, float)):
                items, chars = size(many)
                fits(chars * times)
                if items * times > MAX_ITEMS:
                    raise TooMuch("it makes too large a value")


def check_growth(name: str, args: Sequence[Any]) -> None:
    """Check what a filter or a text's method of this name would make of `args`; raises TooMuch."""
    if name == "replace" and len(args) >= 3:
        text, old, new = (str(arg) for arg in args[:3])
        fits(len(text) + text.count(old) * len(new))
    elif name == "join" and len(args) >= 2 and isinstance(args[0], str):
        fits(len(args[0]) * (len(args[1]) if isinstance(args[1], Sized) else MAX_INDENT * MAX_ITEMS))
    elif name in ("indent", "tojson"):
        for width in args[1:]:
            if (isinstance(width, int) and width > MAX_INDENT) or (
                isinstance(width, str) and len(width) > MAX_INDENT
            ):
                raise TooMuch("it indents too far")
        if name == "indent":
            fits(len(str(args[0])) + MAX_INDENT * str(args[0]).count("\n"))
    elif any(isinstance(arg, int) and abs(arg) > MAX_CHARS for arg in args[1:]):
        raise TooMuch("it wants too large a number")


def _inner(value: Any) -> Sequence[Any] | None:
    """Return what a container holds, None for what is none."""
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    if isinstance(value, Namespace):
        attributes: dict[str, Any] = object.__getattribute__(value, "_Namespace__attrs")
        return [*attributes.keys(), *attributes.values()]
    return None


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _small(bits: float) -> None:
    if bits > MAX_NUMBER_BITS:
        raise TooMuch("it makes too large a number")
