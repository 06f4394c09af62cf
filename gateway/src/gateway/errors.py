"""The gateway's own errors."""

from __future__ import annotations

from servicekit.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    NotReady,
    PayloadTooLarge,
    TooBusy,
    Unauthorized,
)


class Misconfigured(Exception):
    """The settings would be unsafe or cannot work; the gateway does not start."""


class ServiceDown(NotReady):
    """A service does not answer."""

    code = "service_down"

    def __init__(self, service: str, why: str = "does not answer"):
        super().__init__(f"svc-{service} {why}. The other services still work; try again.")


class CircuitOpen(ServiceDown):
    """A service failed so often just now that it is not asked for a moment."""

    def __init__(self, service: str, retry_after_s: float):
        super().__init__(service, "failed several times in a row and is left alone for a moment")
        self.retry_after_s = retry_after_s


class ServiceFull(TooBusy):
    """A service is answering as many calls as it may."""

    code = "service_busy"


class KeyBusy(Conflict):
    """A call with the same `Idempotency-Key` is being answered."""

    code = "idempotency_key_in_use"

    def __init__(self) -> None:
        super().__init__(
            "A call with this Idempotency-Key is still being answered. Send it again to get its answer.",
            param="Idempotency-Key",
            retry_after_s=5.0,
        )


class OutcomeNotKept(Conflict):
    """The call with this `Idempotency-Key` was made, and its answer was too large to be kept."""

    code = "idempotent_answer_not_kept"

    def __init__(self) -> None:
        super().__init__(
            "The call with this Idempotency-Key was made once, and its answer was too large to be kept. "
            "Use a new key to make the call again.",
            param="Idempotency-Key",
        )


class KeyedBodyTooLarge(PayloadTooLarge):
    """The body of a call with an `Idempotency-Key` is over the limit for those."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"A call with an Idempotency-Key has a body of at most {most_bytes} bytes. Leave the key out, or send less.",
            param="Idempotency-Key",
        )


class TooManyKeys(TooBusy):
    """A caller has used as many different keys as are remembered."""

    code = "too_many_idempotency_keys"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} keys of yours are remembered already. Leave the Idempotency-Key out, or wait until they end.",
            param="Idempotency-Key",
            retry_after_s=3600.0,
        )


class KeysNotKept(NotReady):
    """The gateway's database, which remembers keys, cannot be written."""

    def __init__(self) -> None:
        super().__init__(
            "The gateway cannot remember an Idempotency-Key now. Try again, or leave the key out."
        )


class BodyStalled(BadRequest):
    """The client stopped in the middle of its body."""

    status, code = 408, "body_timeout"

    def __init__(self, silence_s: float):
        super().__init__(
            f"Nothing of the body came for {silence_s:g} s, so the call was given up. Send it again, all of it."
        )


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


class LoginRefused(Unauthorized):
    """A login through the provider did not end well; the page says why by the code."""

    code = "oidc_failed"


class LoginExpired(LoginRefused):
    """The login was begun elsewhere, too long ago, or is over already."""

    code = "oidc_expired"


class LoginDenied(LoginRefused):
    """The person or the provider said no."""

    code = "oidc_denied"


class LoginNotAllowed(LoginRefused):
    """The provider knows the person, and the settings do not let them in."""

    code = "oidc_not_allowed"


class AccountSuspended(LoginRefused):
    """The account that belongs to this login is suspended."""

    code = "oidc_suspended"


class ProviderAway(LoginRefused):
    """The provider does not answer, or answers with something unreadable."""

    code = "oidc_unreachable"
