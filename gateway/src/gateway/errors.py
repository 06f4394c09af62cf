"""The gateway's own errors."""

from __future__ import annotations

from servicekit.errors import BadRequest, Forbidden, NotReady, TooBusy, Unauthorized


class Misconfigured(Exception):
    """The settings would be unsafe or cannot work; the gateway does not start."""


class ServiceDown(NotReady):
    """A service does not answer."""

    code = "service_down"

    def __init__(self, service: str, why: str = "does not answer"):
        super().__init__(f"svc-{service} {why}. The other services still work; try again.")


class ServiceFull(TooBusy):
    """A service is answering as many calls as it may."""

    code = "service_busy"


class BadHost(BadRequest):
    """The Host header names a site that this is not."""

    code = "host_not_allowed"


class BadPath(BadRequest):
    """The path is written in a way that is not forwarded."""

    code = "invalid_path"


class BadOrigin(Forbidden):
    """Another site's page tried to change something."""

    code = "origin_not_allowed"


class CsrfMissing(Forbidden):
    """A call with the session cookie came without its CSRF header."""

    code = "csrf_required"


class WrongPassword(Unauthorized):
    """User name and password do not belong together."""

    code = "wrong_password"


class TooManyGuesses(TooBusy):
    """Too many passwords were tried."""

    code = "too_many_guesses"
