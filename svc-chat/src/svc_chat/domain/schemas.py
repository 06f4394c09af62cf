"""JSON schemas that callers send: how deep they may be, and how one is set into another. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servicekit.errors import BadRequest

MAX_DEPTH = 64
_ROOTS = ("#/$defs/", "#/definitions/")


def checked(schema: Mapping[str, Any], param: str) -> Mapping[str, Any]:
    """Return `schema`; raises BadRequest when it is nested deeper than MAX_DEPTH."""
    _walk(schema, "", param, 0)
    return schema


def embedded(schema: Mapping[str, Any], name: str, param: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make `schema` fit to stand inside another one.

    References count from the root of the whole, so its definitions have to move there. Returns the schema
    without them, and the definitions by names that start with `name`.
    """
    body = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    moved = _walk(body, name, param, 0)
    definitions: dict[str, Any] = {}
    for key in ("$defs", "definitions"):
        for own, value in (schema.get(key) or {}).items():
            definitions[f"{name}.{own}"] = _walk(value, name, param, 0)
    if _refers_to(f"#/$defs/{name}", [moved, *definitions.values()]):
        definitions[name] = moved
    return moved, definitions


def _walk(node: Any, name: str, param: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BadRequest(
            f"The JSON schema is nested more than {MAX_DEPTH} levels deep. Send a flatter one.", param=param
        )
    if isinstance(node, list):
        return [_walk(item, name, param, depth + 1) for item in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: _renamed(value, name)
        if key == "$ref" and isinstance(value, str)
        else _walk(value, name, param, depth + 1)
        for key, value in node.items()
    }


def _renamed(reference: str, name: str) -> str:
    if reference == "#":
        return f"#/$defs/{name}"
    for root in _ROOTS:
        if reference.startswith(root):
            return f"#/$defs/{name}.{reference[len(root) :]}"
    return reference


def _refers_to(reference: str, node: Any) -> bool:
    if isinstance(node, list):
        return any(_refers_to(reference, item) for item in node)
    if isinstance(node, Mapping):
        return node.get("$ref") == reference or _refers_to(reference, list(node.values()))
    return False
