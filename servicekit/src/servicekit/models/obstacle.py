"""Why no engine of a service runs a model, as data: a page tells it in its reader's language.

Owns the kinds of reasons; each has a sentence in the page's dictionaries (`models.obstacle`). The services know
which one holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from servicekit.errors import BadRequest

Reason = Literal[
    "installs_nothing", "not_on_a_hub", "pickle", "kind", "own_code", "phonemes", "several_classes", "other"
]
"""`kind`: a kind of model that does not run; `own_code`: it would need code that comes with it."""
REASONS: tuple[str, ...] = get_args(Reason)
_SHOWN_CHARS = 100


@dataclass(frozen=True)
class Obstacle:
    """`found` is what the model is, holds or reads, `runs` what would run in its place. As text it is the reason."""

    of: Reason
    message: str
    found: str | None = None
    runs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.message

    def as_dict(self) -> dict[str, Any]:
        """Give what the API shows beside the message."""
        found = None if self.found is None else self.found[:_SHOWN_CHARS]
        return {"of": self.of, "found": found, "runs": list(self.runs)}


class DoesNotRun(BadRequest):
    """No engine of this service runs the model; `obstacle` says why as data."""

    reason: Reason = "other"
    """What it is unless it is told."""

    def __init__(
        self,
        message: str,
        *,
        of: Reason | None = None,
        found: str | None = None,
        runs: tuple[str, ...] = (),
        param: str | None = "id",
    ):
        super().__init__(message, param=param)
        self.obstacle = Obstacle(of or self.reason, message, found, runs)
