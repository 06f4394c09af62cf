"""Requests made from an OpenAPI document, by schemathesis: half that fit it and half that do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Call = tuple[str, str, list[tuple[str, str]], bytes]
"""Method, target, headers, body."""


def generated_calls(document: dict[str, Any], wanted: int, seed: int) -> Iterator[Call]:
    """Yield about `wanted` requests, turn about over the document's operations.

    What cannot be written as HTTP at all (a line break in a header) is left out.
    """
    import schemathesis
    from schemathesis import GenerationMode

    schema = schemathesis.openapi.from_dict(document)
    strategies = [
        found.ok().as_strategy(generation_mode=mode)  # type: ignore[union-attr]
        for found in schema.get_all_operations()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    ]
    made = 0
    while strategies and made < wanted:
        each, plentiful = max(2, (wanted - made) // len(strategies)), []
        for strategy in strategies:
            seed += 1
            calls = _of(strategy, each, seed)
            made += len(calls)
            if len(calls) > each / 2:  # others have little to vary: a call without parameters is one call
                plentiful.append(strategy)
            yield from calls
        strategies = plentiful


def _of(strategy: Any, count: int, seed: int) -> list[Call]:
    """Return what a strategy generates."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis.errors import Unsatisfiable

    calls: list[Call] = []

    @seeded(seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def gather(case: Any) -> None:
        call = _written(case)
        if call is not None:
            calls.append(call)

    try:
        gather()
    except Unsatisfiable:  # nothing can be wrong about a call without parameters
        pass
    return calls


def _written(case: Any) -> Call | None:
    import requests

    try:
        told = case.as_transport_kwargs(base_url="http://testserver")
        prepared = requests.Request(**told).prepare()
    except (requests.RequestException, ValueError, UnicodeError, TypeError):
        return None
    body = prepared.body or b""
    if not isinstance(body, (bytes, str)):
        return None
    target = str(prepared.url).removeprefix("http://testserver")
    try:
        headers = [(_text(n), _text(v)) for n, v in prepared.headers.items()]
        return str(prepared.method), target, headers, body.encode() if isinstance(body, str) else body
    except UnicodeError:
        return None


def _text(value: str | bytes) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    text.encode("ascii")
    return text
