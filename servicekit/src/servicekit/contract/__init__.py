"""The tests that every service inherits.

A service's contract test holds one subclass of `ServiceContract` with a `client` fixture (Starlette's
TestClient, or `FlaskClient`, of an app made with `AUTH=on` and a `TestKeys` authenticator) and a `keys`
fixture. `basics` is what `install` promises, `doors` that no route lets a stranger in, `leaks` that no
answer and no log tells of the inside, `inside` that no URL leads there, `hostile` that no request breaks it.
"""

from servicekit.contract.basics import Basics, assert_error
from servicekit.contract.clients import FlaskClient, filled, places_of, routes_of
from servicekit.contract.doors import Doors
from servicekit.contract.forged import forged_tokens
from servicekit.contract.hostile import Hostile
from servicekit.contract.inside import Inside
from servicekit.contract.keys import TestKeys
from servicekit.contract.leaks import Leaks

__all__ = [
    "FlaskClient", "ServiceContract", "TestKeys", "assert_error", "filled", "forged_tokens", "places_of",
    "routes_of",
]  # fmt: skip


class ServiceContract(Basics, Doors, Leaks, Hostile, Inside):
    """Subclass it, give `client` and `keys` fixtures, and name one protected and one JSON route.

    `objects` makes real things of ana's, so that strangers are refused at things that exist; `break_engine`
    makes the engine fail, so that its failure can be looked for in answers and logs.
    """
