"""JSON schemas that callers send: what is refused, and how one is made fit to stand inside another. Pure.

A schema becomes a grammar that decides about every token, in native code that nobody can stop: what makes that
slow has to be refused here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from re import _parser as regex  # type: ignore[attr-defined]
from typing import Any

from servicekit.errors import BadRequest

MAX_DEPTH = 64
MAX_ALTERNATIVES = 1000
MAX_OPTIONAL = 200
"""Properties of one object that may be left out: each can be followed by any later one. Measured: 500 take 2 s."""
MAX_PATTERN_CHARS = 500
MAX_NESTED_REPEATS = 200
"""Product of the bounds of repetitions inside one another; `?`, `*` and `+` count as 2. Measured 2026-11-26 over nine
letters: `((a{0,9}){0,9})*` 0.08 s of processor, `((a?){0,50})*` 0.9 s, `((a{0,99}){0,99})` 12 s."""
ANY_JSON_SCHEMA: dict[str, Any] = {"type": "object"}
_ROOTS = ("#/$defs/", "#/definitions/")
_DATA = frozenset({"const", "enum", "default", "examples"})
_MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


def checked(schema: Mapping[str, Any], param: str) -> Mapping[str, Any]:
    """Return `schema` with plain names for its definitions.

    Raises:
        BadRequest: it is nested too deep, or has too many alternatives or a pattern that takes too long.
    """
    body, definitions = embedded(schema, "", param)
    return {**body, "$defs": definitions} if definitions else body


def embedded(schema: Mapping[str, Any], name: str, param: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make `schema` fit to stand inside another one, whose definitions have other beginnings than `name`.

    References count from the root of the whole, so its definitions have to move there. Returns the schema
    without them, and the definitions. Raises BadRequest as `checked`.
    """
    names = _Names(name, param)
    body = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    moved = names.schema(body, 0)
    definitions: dict[str, Any] = {}
    for key in ("$defs", "definitions"):
        found = schema.get(key) or {}
        if not isinstance(found, Mapping):
            raise BadRequest(f"'{key}' of a JSON schema must be an object.", param=param)
        for own, value in found.items():
            definitions[names.of(f"/{own}")] = names.schema(value, 0)
    if "" in names.used:
        definitions[names.of("")] = moved
    return moved, definitions


def wanted_schema(response_format: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return the JSON schema that `response_format` asks for, None for plain text.

    A schema is always followed, as if `strict` were set.
    """
    kind = (response_format or {"type": "text"}).get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return ANY_JSON_SCHEMA
    given = (response_format or {}).get("json_schema") if kind == "json_schema" else None
    schema = given.get("schema") if isinstance(given, dict) else None
    if not isinstance(schema, dict):
        raise BadRequest(
            "response_format must be {'type': 'text'}, {'type': 'json_object'} or "
            "{'type': 'json_schema', 'json_schema': {'name': …, 'schema': {…}}}.",
            param="response_format",
        )
    return checked(schema, "response_format")


class _Names:
    """Walks one schema and gives its definitions names of letters, digits and `-`, as grammars have them."""

    def __init__(self, prefix: str, param: str):
        self._prefix, self._param = re.sub(r"[^A-Za-z0-9]+", "-", prefix), param
        self.used: dict[str, str] = {}

    def of(self, own: str) -> str:
        """Return the new name of a definition; `own` is empty for the whole schema."""
        if own not in self.used:
            plain = re.sub(r"[^A-Za-z0-9]+", "-", own).strip("-")
            name = "-".join(part for part in (self._prefix, plain) if part) or "root-schema"
            taken = set(self.used.values())
            self.used[own] = name if name not in taken else f"{name}-{len(taken)}"
        return self.used[own]

    def schema(self, node: Any, depth: int) -> Any:
        """Return a schema with its references renamed."""
        if depth > MAX_DEPTH:
            raise self._refusal(f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(node, list):
            if len(node) > MAX_ALTERNATIVES:
                raise self._refusal(
                    f"has {len(node)} alternatives in a row, {MAX_ALTERNATIVES} at most are read"
                )
            return [self.schema(item, depth + 1) for item in node]
        if not isinstance(node, Mapping):
            return node
        properties, required = node.get("properties"), node.get("required")
        if isinstance(properties, Mapping):
            optional = len(properties) - (len(required) if isinstance(required, list) else 0)
            if optional > MAX_OPTIONAL:
                raise self._refusal(f"has {optional} properties that may be left out, {MAX_OPTIONAL} at most")
        return {key: self._value(key, value, depth) for key, value in node.items()}

    def _value(self, key: str, value: Any, depth: int) -> Any:
        if key in _DATA:
            if isinstance(value, list) and len(value) > MAX_ALTERNATIVES:
                raise self._refusal(
                    f"has {len(value)} alternatives in a row, {MAX_ALTERNATIVES} at most are read"
                )
            return value
        if key in _MAPS and isinstance(value, Mapping):
            return {name: self.schema(part, depth + 2) for name, part in value.items()}
        if key == "$ref" and isinstance(value, str):
            return self._renamed(value)
        if key == "pattern" and isinstance(value, str):
            self._check_pattern(value)
        return self.schema(value, depth + 1)

    def _renamed(self, reference: str) -> str:
        if reference == "#":
            return f"#/$defs/{self.of('')}"
        for root in _ROOTS:
            own = reference.removeprefix(root)
            if own != reference and "/" not in own:
                return f"#/$defs/{self.of(f'/{own}')}"
        raise self._refusal(f"refers to '{reference[:60]}'; only '#' and '#/$defs/…' are followed")

    def _check_pattern(self, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN_CHARS:
            raise self._refusal(f"has a pattern of more than {MAX_PATTERN_CHARS} characters")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                repeats = _nested(regex.parse(pattern))
        except (re.error, RecursionError, OverflowError) as error:
            raise self._refusal("has a pattern that cannot be read") from error
        if repeats > MAX_NESTED_REPEATS:
            raise self._refusal(
                f"has a pattern with repetitions inside one another, {repeats} in all; {MAX_NESTED_REPEATS} at most "
                "are followed"
            )

    def _refusal(self, what: str) -> BadRequest:
        return BadRequest(f"The JSON schema {what}. Send a simpler one.", param=self._param)


def _nested(parsed: Any) -> int:
    """Return the largest product of bounds of repetitions inside one another; one alone counts as 1."""
    most = 1
    for bound, body in _repetitions(parsed):
        inner = _product(body)
        most = max(most, _nested(body), bound * inner if inner > 1 else 1)
    return most


def _product(parsed: Any) -> int:
    return max((bound * _product(body) for bound, body in _repetitions(parsed)), default=1)


def _repetitions(parsed: Any) -> Iterator[tuple[int, Any]]:
    """Yield the outermost repetitions of a pattern: how often at most, and of what."""
    for kind, value in parsed:
        if kind in (regex.MAX_REPEAT, regex.MIN_REPEAT, regex.POSSESSIVE_REPEAT):
            bound = value[1]
            yield (2 if bound is regex.MAXREPEAT else max(2, int(bound))), value[2]
        elif kind in (regex.SUBPATTERN, regex.ATOMIC_GROUP):
            yield from _repetitions(value[-1] if kind is regex.SUBPATTERN else value)
        elif kind is regex.BRANCH:
            for branch in value[1]:
                yield from _repetitions(branch)
