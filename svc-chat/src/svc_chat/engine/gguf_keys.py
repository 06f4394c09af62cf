"""The keys of a GGUF header by name, each checked for the type and range that is asked for.

Knows nothing about bytes, nor which keys a model has.
"""

from __future__ import annotations

from collections.abc import Mapping

from svc_chat.engine.gguf_reader import Array, Malformed, Value


class Keys:
    """The keys by name, each with the type that is asked for."""

    def __init__(self, values: Mapping[str, Value]):
        self._values = values

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        value = self._values.get(key, default)
        if value is None:
            raise Malformed(f"'{key}' is missing")
        return _in_range(key, value, low, high)

    def per_layer(self, key: str, layers: int, high: int, default: int = 0) -> tuple[int, ...]:
        """Return one number a layer, 0 to `high`: the key holds one for all, or a list."""
        value = self._values.get(key, default)
        if not isinstance(value, Array):
            return (_in_range(key, value, 0, high),) * layers
        if value.count != layers or not value.items:
            raise Malformed(f"'{key}' has {value.count} entries for {layers} layers")
        return tuple(_in_range(key, item, 0, high) for item in value.items)

    def text(self, key: str) -> str | None:
        value = self._values.get(key)
        if value is not None and not isinstance(value, str):
            raise Malformed(f"'{key}' is not a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        return tuple(str(item)[:32] for item in value.items) if isinstance(value, Array) else ()

    def array(self, key: str, element_types: tuple[int, ...]) -> int | None:
        """Return the length of a list of one of these types, None when it is not there."""
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, Array) or value.element_type not in element_types:
            raise Malformed(f"'{key}' is not a list of the right type")
        return value.count


def _in_range(key: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"'{key}' is not a whole number")
    if not low <= value <= high:
        raise Malformed(f"'{key}' is {value}, {low} to {high} make sense")
    return value
