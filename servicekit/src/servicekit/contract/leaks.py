"""No answer and no log tells of the inside: no path, no stack, no address, no secret."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest

from servicekit.contract import corpus
from servicekit.contract.clients import filled, latin, places_of, routes_of
from servicekit.contract.keys import TestKeys
from servicekit.logs import JsonFormatter

SECRET, FILE, ADDRESS = "s3cret-c4nary", "/srv/private/oficina/weights.bin", "10.20.30.40:5432"
FAILURE = f"cannot read {FILE} for postgresql://owner:{SECRET}@{ADDRESS}/db"
"""What a library may say when it fails."""
PATHS = re.compile(r"(?<![\w.:/])/(?:usr|home|root|tmp|var|srv|opt|data|etc|work|mnt|proc)/[\w.-]+")
STACKS = re.compile(r"Traceback|site-packages|File \"|\.py\", line|line \d+, in ")
ADDRESSES = re.compile(r"\b(?:127\.0\.0\.1|10\.\d+\.\d+\.\d+|192\.168\.\d+\.\d+|localhost):\d{2,5}\b")


class Leaks:
    """What answers and logs tell."""

    engine_calls: ClassVar[tuple[tuple[type, str], ...]] = ()
    """(class of the fake engine, method) that `failing_call` comes to."""
    failing_call: ClassVar[tuple[str, dict[str, Any]]] = ("", {})
    """Path and options of a POST that the engine has to answer."""

    def test_an_engine_that_fails_tells_callers_and_logs_nothing_of_its_words(
        self, client: Any, keys: TestKeys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, options = self.failing_call
        assert path and self.engine_calls, "name engine_calls and failing_call in the subclass"

        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError(FAILURE)

        for owner, name in self.engine_calls:
            monkeypatch.setattr(owner, name, fail)
        with logged() as lines:
            answer = client.post(path, headers=keys.headers(), **options)
        assert answer.status_code in (500, 502, 503), answer.text[:300]
        assert answer.json()["error"]["message"]
        assert any('"ERROR"' in line for line in lines), "the failure is not in the log"
        for text in (answer.text, str(answer.headers), *lines):
            assert_tells_nothing(text, client, keys)

    def test_wrong_requests_are_answered_without_a_word_of_the_inside(
        self, client: Any, keys: TestKeys
    ) -> None:
        token = keys.token()
        given = {"Authorization": f"Bearer {token}"}
        with logged() as lines:
            for method, path in routes_of(client):
                targets = [filled(path, {}), *(filled(path, {}, name) for name in corpus.NAMES[:12])]
                for target in targets if places_of(path) else targets[:1]:
                    for headers in ({}, given, {"Authorization": f"Bearer {token}x"}):
                        answer = client.request(method, target, headers=headers)
                        if answer.status_code >= 400:
                            assert_tells_nothing(answer.text, client, keys, token)
                for _, kind, body in corpus.BODIES if method != "GET" else ():
                    answer = client.request(
                        method, filled(path, {}), headers=latin(given | {"Content-Type": kind}), content=body
                    )
                    if answer.status_code >= 400:
                        assert_tells_nothing(answer.text, client, keys, token)
        assert len(lines) > len(routes_of(client)), "nothing was logged"
        for line in lines:
            assert_tells_nothing(line, client, keys, token)


def assert_tells_nothing(text: str, client: Any, keys: TestKeys, *secrets: str) -> None:
    """Check that a text holds no path, stack, address or secret."""
    settings = settings_of(client)
    known = (SECRET, FILE, ADDRESS, str(settings.data_dir.resolve()), settings.gateway_url, *secrets)
    for secret in known:
        assert secret not in text, f"{secret!r} in {text[:500]!r}"
    for pattern in (PATHS, STACKS, ADDRESSES):
        found = pattern.search(text)
        assert found is None or found[0] == "/etc/passwd", f"{found[0]!r} in {text[:500]!r}"


def settings_of(client: Any) -> Any:
    """Return the settings of the service behind a client."""
    app = client.app
    return app.extensions["oficina"]["settings"] if hasattr(app, "extensions") else app.state.settings


@contextmanager
def logged() -> Iterator[list[str]]:
    """Gather what a service writes to its log, as it writes it."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler, root = Keep(), logging.getLogger()
    handler.setFormatter(JsonFormatter("test"))
    logging.getLogger("httpx").setLevel(logging.WARNING)  # the test's own client
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
