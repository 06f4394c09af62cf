"""Asks the services whether they are ready, and says so one by one. Knows `/readyz` and nothing else."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from deploy.console import say
from deploy.layout import Layout
from deploy.services import Service

ASK_TIMEOUT_S = 2.0


def ask(url: str) -> dict[str, Any]:
    """Return the body of `/readyz`; `{"status": "down"}` when nobody answers."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=ASK_TIMEOUT_S) as answer:
            return _body(answer.read())
    except urllib.error.HTTPError as error:
        return {"status": "not_ready", **_body(error.read())}
    except OSError:
        return {"status": "down", "reason": "no answer yet"}


def wait(
    services: Iterable[Service], layout: Layout, timeout_s: float, answered: Callable[[Service], None]
) -> list[tuple[Service, str]]:
    """Poll until all are ready; return those that are not after `timeout_s`, with the reason.

    `answered` is told of each service once, as soon as it answers at all.
    """
    started = time.monotonic()
    waiting = dict.fromkeys(services, "no answer yet")
    silent = set(waiting)
    told = started
    while waiting and time.monotonic() - started < timeout_s:
        for service in list(waiting):
            report = ask(service.url(layout))
            if report["status"] != "down" and service in silent:
                silent.discard(service)
                answered(service)
            if report["status"] == "ready":
                del waiting[service]
                model = f"  {report['model']}" if report.get("model") else ""
                say(f"    {service.name:14} ready after {time.monotonic() - started:4.1f} s{model}")
            else:
                waiting[service] = str(report.get("reason") or report["status"])
        if waiting and time.monotonic() - told > 15:
            told = time.monotonic()
            say("    waiting for " + ", ".join(f"{s.name} ({why})" for s, why in waiting.items()))
        time.sleep(0.2)
    return list(waiting.items())


def taken(services: Iterable[Service], layout: Layout) -> list[Service]:
    """Return the services whose port somebody else listens on."""
    return [service for service in services if _listens(service.port(layout))]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _body(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
