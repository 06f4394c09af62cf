"""Runs a service's Flask app under gunicorn: one process that owns the model, several threads."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
from typing import Any

from flask import Flask, Response, jsonify
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException

from servicekit import garbage
from servicekit.errors import InvalidBody
from servicekit.logs import setup_logging
from servicekit.settings import ServiceSettings
from servicekit.wsgi import start, stop

THREADS = 16
"""Calls answered at once, beside those that a service lets wait."""
_PR_SET_PDEATHSIG = 1


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, options: dict[str, Any]):
        self._app, self._options = app, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app


class _Log(Logger):  # type: ignore[misc]
    """What gunicorn says, as events beside ours: its own format asks for what our records leave out."""

    def setup(self, cfg: Config) -> None:
        self.cfg = cfg
        self._access_log_enabled = False
        self.error_log.handlers[:] = []
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)


def _die_with_parent(_server: object, _worker: object) -> None:
    """Have the kernel end the worker when its master is killed: it would keep the port for 30 s more."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _unreadable(_: Exception) -> tuple[Response, int]:
    """Answer a body whose chunks cannot be read: gunicorn finds that out while the handler reads it."""
    error = InvalidBody("The body's chunks cannot be read. Send it whole, or in chunks as HTTP has them.")
    return jsonify(error.body()), error.status


def serve(app: Flask, settings: ServiceSettings, *, waiting: int = 0) -> None:
    """Serve until SIGTERM; running requests then get `drain_s` seconds to end.

    `waiting` are calls that may hold a thread for long; as many threads more keep health and refusals quick.
    """

    if problem := settings.open_door():
        raise SystemExit(f"{settings.service}: {problem}")

    app.register_error_handler(ParseException, _unreadable)

    def started(_: object) -> None:
        setup_logging(settings.service, "DEBUG" if settings.debug else settings.log_level)
        start(app)
        garbage.settle()

    setup_logging(settings.service, settings.log_level)
    _Server(
        app,
        {
            "bind": f"{settings.host}:{settings.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": THREADS + waiting,
            "keepalive": settings.keep_alive,
            "graceful_timeout": int(settings.drain_s),
            "timeout": 0,
            "worker_tmp_dir": "/dev/shm",
            "accesslog": None,
            "logger_class": _Log,
            "control_socket_disable": True,
            "post_fork": _die_with_parent,
            "post_worker_init": started,
            "worker_exit": lambda _server, _worker: stop(app),
        },
    ).run()
