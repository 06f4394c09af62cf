"""Errors of the gateway's own routes, in the shape of every service."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from servicekit.asgi import error_response, from_validation, methods_at
from servicekit.errors import InternalError, MethodNotAllowed, NotFound, ServiceError, from_status


def install(app: FastAPI) -> None:
    """Answer every error as `{"error": {"message", "type", "param", "code"}}`."""

    async def service_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)
        return error_response(error)

    async def validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return error_response(from_validation(error.errors(), request.headers.get("content-type", "")))

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            return error_response(
                NotFound(f"There is no {request.method} {request.url.path[:200]}. See /openapi.json.")
            )
        if error.status_code == 405 and (methods := methods_at(request)):
            return error_response(MethodNotAllowed.at(request.method, request.url.path, methods))
        return error_response(from_status(error.status_code, str(error.detail)))

    async def unexpected(_: Request, __: Exception) -> Response:
        return error_response(InternalError("Something broke here. The log has the request id."))

    app.add_exception_handler(Exception, unexpected)
    app.add_exception_handler(ServiceError, service_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_error)
