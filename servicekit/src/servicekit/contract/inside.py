"""No URL in a request leads inside: every way of writing an address, at every field that takes one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from servicekit.contract import corpus
from servicekit.contract.basics import assert_error
from servicekit.contract.keys import TestKeys


class Inside:
    """What a service fetches for its callers."""

    url_fields: ClassVar[dict[str, str]] = {}
    """Path of a POST route → its field that takes a URL."""

    def test_no_url_leads_inside(self, client: Any, keys: TestKeys) -> None:
        if not self.url_fields:
            pytest.skip("no field of this service takes a URL")
        with canary() as (port, visits):
            for path, field in self.url_fields.items():
                for url in corpus.internal_urls(port):
                    answer = client.post(path, headers=keys.headers(), json={field: url})
                    assert 400 <= answer.status_code < 500, (path, url, answer.text[:200])
                    assert_error(answer)
        assert visits == []


@contextmanager
def canary() -> Iterator[tuple[int, list[str]]]:
    """Run a server on this machine that must not be visited; gives its port and who came."""
    visits: list[str] = []

    class Canary(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            return None

        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_response(204)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port, visits
    finally:
        server.shutdown()
        server.server_close()
