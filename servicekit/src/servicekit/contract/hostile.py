"""No request breaks a service: a clear 4xx, never a 5xx that is not meant, never a hang.

Owns three ways of being hostile: the hand-made corpus at every route, one wrong field in a good call, and
requests generated from the service's own OpenAPI. `make test` sends a hundred of the last to each service,
`make chaos` thousands (`OFICINA_HOSTILE_REQUESTS`).
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from servicekit.contract import corpus
from servicekit.contract.clients import filled, latin, places_of, routes_of
from servicekit.contract.generated import generated_calls
from servicekit.contract.keys import TestKeys

SLOWEST_S = 30.0
"""No answer takes so long, even on a busy machine: what takes longer hangs."""
MEANT = frozenset({"not_implemented", "not_ready", "service_down", "no_model"})
"""Codes that a 5xx may have: said on purpose, and the caller can do nothing about it."""


class Hostile:
    """Requests that no honest client sends."""

    good_calls: ClassVar[dict[str, dict[str, Any]]] = {}
    """Path of a POST route → a body that it accepts; each field is then made wrong, one at a time."""
    generated_requests: ClassVar[int] = 120

    def test_wrong_bodies_are_refused_at_every_route(self, client: Any, keys: TestKeys) -> None:
        routes = [(m, p) for m, p in routes_of(client) if m in ("POST", "PUT", "PATCH", "DELETE")]
        for method, path in routes:
            for name, kind, body in corpus.BODIES:
                headers = keys.headers() | ({"Content-Type": kind} if kind else {})
                with _watched(f"{method} {path}: {name}"):
                    answer = client.request(method, filled(path, {}), headers=latin(headers), content=body)
                    assert_meant(answer)

    def test_wrong_names_queries_and_headers_are_refused(self, client: Any, keys: TestKeys) -> None:
        for method, path in routes_of(client):
            targets = [filled(path, {}, name) for name in (corpus.NAMES if places_of(path) else ())]
            targets += [f"{filled(path, {})}?{query}" for query in corpus.QUERIES]
            for target in targets:
                with _watched(f"{method} {target[:200]}"):
                    assert_meant(client.request(method, target, headers=keys.headers()))
            for more in corpus.HEADERS:
                with _watched(f"{method} {path}: {more}"[:200]):
                    headers = latin(keys.headers() | more)
                    assert_meant(client.request(method, filled(path, {}), headers=headers))

    def test_one_wrong_field_in_a_good_call_is_refused_or_harmless(self, client: Any, keys: TestKeys) -> None:
        if not self.good_calls:
            pytest.skip("this service reads no JSON bodies")
        for path, good in self.good_calls.items():
            answer = client.post(path, headers=keys.headers(), json=good)
            assert answer.is_success, (path, answer.text[:300])
            for place, value, body in _mutations(good):
                headers = keys.headers() | {"Content-Type": corpus.JSON}
                with _watched(f"{path} {place}={str(value)[:60]!r}"):
                    assert_meant(client.post(path, headers=headers, content=json.dumps(body).encode()))

    def test_generated_requests_are_answered(self, client: Any, keys: TestKeys) -> None:
        self._generated(client, keys, self.generated_requests, seed=1)

    @pytest.mark.chaos
    @pytest.mark.timeout(3600)
    def test_thousands_of_generated_requests_are_answered(self, client: Any, keys: TestKeys) -> None:
        wanted = int(os.environ.get("OFICINA_HOSTILE_REQUESTS", "1500"))
        self._generated(client, keys, wanted, seed=int(time.time()))

    def _generated(self, client: Any, keys: TestKeys, wanted: int, seed: int) -> None:
        sent = 0
        document = client.get("/openapi.json").json()
        for method, target, headers, body in generated_calls(document, wanted, seed):
            headers = [(n, v) for n, v in headers if n.lower() not in ("authorization", "host", "user-agent")]
            headers += list(keys.headers().items())
            with _watched(f"seed {seed}: {method} {target[:200]} {body[:300]!r}"):
                assert_meant(client.request(method, target, headers=headers, content=body))
            sent += 1
        assert sent >= wanted / 2, f"only {sent} of {wanted} requests could be sent"


def assert_meant(answer: Any) -> None:
    """Check that an answer is no accident: below 500, or an error that the service means to give."""
    if answer.status_code < 500:
        return
    assert answer.headers.get("content-type", "").startswith("application/json"), answer.text[:300]
    code = answer.json().get("error", {}).get("code") or answer.json().get("status")
    assert code in MEANT or answer.headers.get("retry-after"), (answer.status_code, answer.text[:300])


class _watched:
    """Tells what was sent when it failed, and fails when the answer took too long."""

    def __init__(self, what: str):
        self._what, self._began = what, time.monotonic()

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, Exception):
            raise AssertionError(f"{self._what}: {error!r}"[:2000]) from error
        seconds = time.monotonic() - self._began
        assert seconds < SLOWEST_S, f"{self._what}: answered after {seconds:.0f} s"


def _mutations(good: dict[str, Any]) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield (place, value, body) with one place of `good` at a time wrong or missing."""
    for place in _paths(good):
        for value in corpus.VALUES:
            yield ".".join(map(str, place)), value, _with(good, place, value)
        yield ".".join(map(str, place)), "(missing)", _with(good, place, ...)
    for extra in ("x", "__proto__", "\x00", "x" * 1000):
        yield "extra", extra, good | {extra: {}}


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        yield (*above, name)
        yield from _paths(inner, (*above, name))


def _with(good: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    body = copy.deepcopy(good)
    inside: Any = body
    for name in place[:-1]:
        inside = inside[name]
    if value is ...:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return body
