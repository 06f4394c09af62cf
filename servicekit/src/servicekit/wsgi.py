"""Gives a Flask app the behaviour that `asgi.install` gives FastAPI: same ids, errors, auth, logs."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.exceptions import MethodNotAllowed as WrongMethod

from servicekit import deadline, docs_page, json_text
from servicekit.asgi import OPEN_PATHS, request_id_for
from servicekit.auth import Authenticator, bearer_of, check_scope
from servicekit.errors import (
    BadRequest,
    InternalError,
    InvalidBody,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    ServiceError,
    UnsupportedMedia,
    from_status,
)
from servicekit.health import Readiness
from servicekit.hosts import is_allowed
from servicekit.logs import log_event, request_id_var
from servicekit.metrics import Metrics
from servicekit.origins import check_origin
from servicekit.retention import Sweeper
from servicekit.settings import ServiceSettings
from servicekit.signed import signed_path
from servicekit.tracing import Tracing, connect, trace_var

log = logging.getLogger(__name__)
_AT_START, _AT_STOP = "oficina.at_start", "oficina.at_stop"


def install(
    app: Flask,
    settings: ServiceSettings,
    *,
    readiness: Readiness,
    authenticator: Authenticator | None = None,
    sweeper: Sweeper | None = None,
) -> None:
    """Make `app` behave like every other service; the caller is `servicekit.auth.flask_identity()`."""
    metrics = Metrics(settings.service)
    metrics.watch(readiness)
    if sweeper is not None:
        readiness.watch_sweeps(sweeper.report)
        metrics.watch_sweeps(sweeper.removed)
    checker = authenticator or Authenticator(settings)
    tracing = connect(settings.service, settings.otel_exporter_otlp_endpoint)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.extensions["oficina"] = {
        "readiness": readiness,
        "metrics": metrics,
        "settings": settings,
        "tracing": tracing,
    }

    def before() -> None:
        g.started = time.perf_counter()
        g.request_id = request_id_for(request.headers.get("x-request-id"))
        g.request_id_token = request_id_var.set(g.request_id)
        g.span = _begin(tracing) if tracing else None
        metrics.in_flight.inc()
        if not is_allowed(request.headers.get("host", ""), settings.allowed_hosts):
            raise BadRequest("This Host is not served here. Add it to ALLOWED_HOSTS.", param="host")
        deadline.enter(deadline.of(request.headers.get(deadline.HEADER)))
        if request.path not in OPEN_PATHS and not _preflight():
            signed = signed_path(request.method, request.path, request.query_string)
            g.identity = checker.authenticate(bearer_of(request.headers.get("authorization")), signed)
            check_scope(g.identity, settings.service, request.method, request.path)
            if settings.auth == "off":
                check_origin(request.method, dict(request.headers), settings.cors_origins)

    def after(response: Response) -> Response:
        response.headers["x-request-id"] = g.request_id
        response.headers.setdefault("x-content-type-options", "nosniff")
        _allow_origin(response, settings)
        account = functools.partial(
            _account, _Told(request.method, _route(), response.status_code, g.request_id, g.started, g.span)
        )
        if response.is_streamed:  # the body is still to come, after this request's context has gone
            g.streamed = True
            response.call_on_close(functools.partial(account, metrics, tracing))
            response.call_on_close(metrics.in_flight.dec)
        else:
            account(metrics, tracing)
        return response

    def teardown(_: BaseException | None) -> None:
        if not g.get("streamed"):
            metrics.in_flight.dec()
        request_id_var.set(None)
        deadline.enter(None)
        trace_var.set({})

    app.before_request(before)
    app.after_request(after)
    app.teardown_request(teardown)
    _add_errors(app)
    _add_health(app, readiness, metrics)
    _add_docs(app, settings.service)


def _begin(tracing: Tracing) -> Any:
    """Start the request's span and have it handed on to other services."""
    sent = request.headers
    span = tracing.begin(request.method, sent.get("traceparent", ""), sent.get("tracestate", ""))
    trace_var.set(tracing.headers(span))
    return span


def _route() -> str:
    return request.url_rule.rule if request.url_rule else "unmatched"


@dataclass(frozen=True)
class _Told:
    """What is told of one request."""

    method: str
    route: str
    status: int
    request_id: str
    started: float
    span: Any


def _account(told: _Told, metrics: Metrics, tracing: Tracing | None) -> None:
    """Count a request whose answer has gone out, end its span and log it."""
    seconds = time.perf_counter() - told.started
    metrics.observe(told.method, told.route, told.status, seconds)
    if tracing is not None:
        tracing.end(told.span, route=told.route, status=told.status, request_id=told.request_id)
    if told.route in ("/healthz", "/readyz", "/metrics") and told.status < 400:
        return
    token = request_id_var.set(told.request_id)
    fields: dict[str, Any] = {"method": told.method[:16], "route": told.route, "status": told.status}
    log_event(log, "request", **fields, ms=round(seconds * 1000, 1))
    request_id_var.reset(token)


def _preflight() -> bool:
    return request.method == "OPTIONS" and "access-control-request-method" in request.headers


def _allow_origin(response: Response, settings: ServiceSettings) -> None:
    origin = request.headers.get("origin")
    if origin and ("*" in settings.cors_origins or origin in settings.cors_origins):
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, DELETE, OPTIONS"
        response.headers.add("Vary", "Origin")


def json_object() -> dict[str, Any]:
    """Return the request's body as a JSON object.

    Raises:
        UnsupportedMedia: the content type is not JSON.
        InvalidBody: not JSON, JSON that is not an object, or JSON that holds what is no text.
    """
    if not request.is_json:
        kind = (request.content_type or "none")[:80]
        raise UnsupportedMedia(f"The content type is '{kind}'; this call reads 'application/json'.")
    json_text.check(request.get_data())
    try:
        body = request.get_json(silent=True)
    except RecursionError as error:  # nested a thousand deep
        raise InvalidBody("The body is nested too deeply to be read.") from error
    if not isinstance(body, dict):
        raise InvalidBody("The body must be a JSON object.")
    return body


def _add_errors(app: Flask) -> None:
    def fail(error: ServiceError) -> Response:
        response = jsonify(error.body())
        response.status_code = error.status
        response.headers.extend(error.headers())
        return response

    def http_error(error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            limit = app.config["MAX_CONTENT_LENGTH"]
            return fail(PayloadTooLarge(f"The body is over the limit of {limit} bytes. Send less."))
        if error.code == 404 and request.url_rule is None:
            return fail(NotFound(f"There is no {request.method} {request.path[:200]}. See /openapi.json."))
        if isinstance(error, WrongMethod) and error.valid_methods:
            return fail(MethodNotAllowed.at(request.method, request.path, error.valid_methods))
        return fail(from_status(error.code or 500, error.description or error.name))

    def unexpected(_: Exception) -> Response:
        log.exception("unexpected error")
        return fail(InternalError("Something broke here. The log has the request id."))

    app.register_error_handler(ServiceError, fail)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)


def _add_health(app: Flask, readiness: Readiness, metrics: Metrics) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok", service=readiness.service, version=readiness.version)

    @app.get("/readyz")
    def readyz() -> Response:
        report = readiness.report()
        response = jsonify(report)
        if report["status"] != "ready":
            response.status_code = 503
            response.headers["Retry-After"] = "2"
        return response

    @app.get("/metrics")
    def metrics_text() -> Response:
        return Response(metrics.render(), content_type=metrics.content_type)


def _add_docs(app: Flask, title: str) -> None:
    def docs() -> Response:
        answer = docs_page.answer(request.path, title)
        return Response(answer.body, headers=answer.headers)

    for path in docs_page.PATHS:
        app.add_url_rule(path, path, docs)


def at_start(app: Flask, work: Callable[[], object], undo: Callable[[], object] | None = None) -> None:
    """Have `work` done once in the process that answers, before it does, and `undo` when it ends.

    Threads do not outlive the fork of that process. Tests call `start` and `stop`.
    """
    app.extensions.setdefault(_AT_START, []).append(work)
    if undo is not None:
        app.extensions.setdefault(_AT_STOP, []).append(undo)


def start(app: Flask) -> None:
    """Do what was left for the start."""
    for work in app.extensions.pop(_AT_START, ()):
        work()


def stop(app: Flask) -> None:
    """Undo it."""
    for undo in app.extensions.pop(_AT_STOP, ()):
        undo()
