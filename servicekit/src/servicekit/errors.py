"""The one error tree of the system, in OpenAI's error shape.

Owns the classes that carry an HTTP status, a stable code and a type. Knows nothing about FastAPI,
Flask or any model: `asgi.py` and `wsgi.py` turn these into responses.

Every service adds leaves in its own `errors.py`. A message names the value, the limit and the
remedy; it never holds a path, a secret or a stack trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, ClassVar


class ServiceError(Exception):
    """An error that a caller may see.

    Args:
        message: one or two sentences in English: the value, the limit, the remedy.
        param: the dotted name of the field that is wrong, if there is one.
        retry_after_s: seconds after which trying again makes sense (sent as `Retry-After`).
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    type: ClassVar[str] = "server_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = None):
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """Return the response body: `{"error": {"message", "type", "param", "code"}}`."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Return the headers that go with the status (`Retry-After`, `WWW-Authenticate`).

        OpenAI's clients try a 503 again unasked; `x-should-retry` tells them where that is of no use.
        """
        headers: dict[str, str] = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        elif self.status == 503:
            headers["x-should-retry"] = "false"
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="oficina"'
        return headers


class InternalError(ServiceError):
    """Something broke that the caller cannot mend."""


class BadRequest(ServiceError):
    """A field holds a value that is not allowed."""

    status, code, type = 400, "invalid_value", "invalid_request_error"


class WrongTask(BadRequest):
    """The model named does something else."""

    code = "wrong_task"


class InvalidBody(BadRequest):
    """The body cannot be read, or a field is missing or of the wrong type."""

    code = "invalid_request"


class Unauthorized(ServiceError):
    """No valid credentials came with the request."""

    status, code, type = 401, "invalid_credentials", "authentication_error"


class Forbidden(ServiceError):
    """The caller is known and may not do this."""

    status, code, type = 403, "not_allowed", "permission_error"


class NotFound(ServiceError):
    """There is no such thing, or it belongs to somebody else."""

    status, code, type = 404, "not_found", "invalid_request_error"


class ModelNotFound(NotFound):
    """No model of that name is here."""

    code = "model_not_found"


class MethodNotAllowed(ServiceError):
    """The path is right and the method is not."""

    status, code, type = 405, "method_not_allowed", "invalid_request_error"

    def __init__(self, message: str, *, param: str | None = None, allowed: Iterable[str] = ()):
        super().__init__(message, param=param)
        self.allowed = sorted(allowed)

    @classmethod
    def at(cls, method: str, path: str, allowed: Iterable[str]) -> MethodNotAllowed:
        """Return the error of a path that answers the methods `allowed` and not this one."""
        useful = sorted(set(allowed) - {"HEAD", "OPTIONS"})
        remedy = f" Use {' or '.join(useful)}." if useful else ""
        return cls(f"{path[:200]} does not answer {method[:20]}.{remedy}", allowed=allowed)

    def headers(self) -> dict[str, str]:
        """Return `Allow` where the methods are known."""
        return {**super().headers(), **({"Allow": ", ".join(self.allowed)} if self.allowed else {})}


class Conflict(ServiceError):
    """The thing is in a state in which this cannot be done."""

    status, code, type = 409, "conflict", "invalid_request_error"


class KeyReused(ServiceError):
    """An `Idempotency-Key` came back with another request."""

    status, code, type = 422, "idempotency_key_reused", "invalid_request_error"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for a different request. Use a new key.", param="Idempotency-Key"
        )


class PayloadTooLarge(ServiceError):
    """The body is over the limit."""

    status, code, type = 413, "payload_too_large", "invalid_request_error"


class UnsupportedMedia(ServiceError):
    """The content type is not one that this call reads."""

    status, code, type = 415, "unsupported_media_type", "invalid_request_error"


class TooBusy(ServiceError):
    """A bounded queue is full, or a rate limit is reached."""

    status, code, type = 429, "rate_limit_exceeded", "rate_limit_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = 1.0):
        super().__init__(message, param=param, retry_after_s=retry_after_s)


class NotImplementedYet(ServiceError):
    """The call is part of the API and is not built yet."""

    status, code, type = 501, "not_implemented", "invalid_request_error"


class UpstreamFailed(ServiceError):
    """A neighbour answered with something that cannot be used."""

    status, code, type = 502, "upstream_failed", "server_error"


class NotReady(ServiceError):
    """The service, its model or its store is not there yet."""

    status, code, type = 503, "not_ready", "server_error"

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: float | None = 2.0):
        super().__init__(message, param=param, retry_after_s=retry_after_s)


class NoModel(NotReady):
    """No model that does this is installed: waiting does not help, installing one does."""

    code = "no_model"

    def __init__(self, message: str, *, param: str | None = None):
        super().__init__(message, param=param, retry_after_s=None)


class DeadlineExceeded(ServiceError):
    """The work took longer than its deadline."""

    status, code, type = 504, "deadline_exceeded", "server_error"


class CannotStart(NotReady):
    """What is kept here is in a state in which the service must not touch it."""

    code = "cannot_start"


class NewerDatabase(CannotStart):
    """The tables were made by a newer program; an older one could only harm them."""

    code = "newer_database"

    def __init__(self, part: str, found: int | str, known: int | str) -> None:
        super().__init__(
            f"The tables of {part} are of version {found}, and this program knows up to {known}: a newer program "
            "made them. Update the program (make update), or restore the backup made before (make rollback)."
        )


_BY_STATUS: dict[int, type[ServiceError]] = {
    400: InvalidBody,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    413: PayloadTooLarge,
    415: UnsupportedMedia,
    422: InvalidBody,
    429: TooBusy,
    501: NotImplementedYet,
    502: UpstreamFailed,
    503: NotReady,
    504: DeadlineExceeded,
}


def from_status(status: int, message: str) -> ServiceError:
    """Return the error that stands for a bare HTTP status raised by a web framework."""
    leaf = _BY_STATUS.get(status)
    if leaf is None:
        leaf = BadRequest if 400 <= status < 500 else InternalError
    return leaf(message)
