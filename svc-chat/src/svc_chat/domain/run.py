"""One stored response that this process writes: what came and is not kept yet, and what may be told.

Readers see an event only when it is in the database: whatever happens to this process, an answer goes on
where they left it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from servicekit.errors import ServiceError
from svc_chat.domain.draft import Draft, Events
from svc_chat.domain.items import kept
from svc_chat.domain.telling import Telling
from svc_chat.engine.base import CallDelta, Delta, TokenLogprob
from svc_chat.engine.history import Event, Progress, StoredResponse

Step = Callable[[Draft], Events]


@dataclass
class _Text:
    """Text that came since the last write; pieces of one transaction are one event."""

    text: str = ""
    logprobs: list[TokenLogprob] = field(default_factory=list)

    def __call__(self, draft: Draft) -> Events:
        return draft.write(self.text, self.logprobs)


class Run(Telling):
    """A response that is being written. Belongs to the event loop."""

    def __init__(self, stored: StoredResponse, told: Sequence[Event], *, patient: bool):
        super().__init__(told)
        self.stored = stored
        self.patient = patient
        """Waits for its turn and for a full queue; otherwise the caller hears of it at once."""
        self.draft = Draft(stored.body)
        self.draft.replay(told)
        self.announced = patient
        """Whether its caller has had an answer: errors are then told as events."""
        self.began: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.request: Mapping[str, Any] | None = None
        self.written = stored.written
        """Pieces that the model gave, about one a token."""
        self._steps: list[Step] = []
        self._ends = False

    @property
    def id(self) -> str:
        """Id of the response."""
        return self.stored.id

    @property
    def ended(self) -> bool:
        """Whether nothing more comes."""
        return self.draft.ended

    def renewal(self) -> Progress:
        """Return a sign of life for the database."""
        return Progress(self.id)

    def add(self, delta: Delta, finish: Step | None = None) -> None:
        """Take what the model wrote; `finish` ends the answer."""
        self.written += bool(delta.text or delta.calls)
        if delta.text:
            self._add_text(delta)
        for piece in delta.calls:
            self._steps.append(_calling(piece))
        if finish is not None:
            self.end(finish)
        if not self.began.done():
            self.began.set_result(None)

    def step(self, step: Step) -> None:
        """Take another change of the draft."""
        self._steps.append(step)

    def end(self, step: Step) -> None:
        """Take the last change of the draft."""
        self._steps.append(step)
        self._ends = True

    @property
    def ends(self) -> bool:
        """Whether the last change came already."""
        return self._ends

    def refuse(self, error: ServiceError) -> bool:
        """Hand an error to the caller who still waits for the first piece; False when nobody does."""
        if self.announced or self.began.done():
            return False
        self.began.set_exception(error)
        return True

    def take(self) -> Progress | None:
        """Turn what came since the last time into events; None when nothing did."""
        steps, self._steps = self._steps, []
        request, self.request = self.request, None
        if not steps and request is None:
            return None
        events = [event for step in steps for event in step(self.draft)]
        progress = Progress(
            self.id, tuple(events), self.draft.body["status"], request=request, written=self.written
        )
        if not self._ends:
            return progress
        output = kept(self.draft.output) if self.stored.conversation_id else ()
        return replace(progress, body=dict(self.draft.body), output=output)

    def snapshot(self) -> dict[str, Any]:
        """Return the response object as far as it was told."""
        draft = Draft(self.stored.body)
        draft.replay(self.told)
        return draft.body

    def _add_text(self, delta: Delta) -> None:
        last = self._steps[-1] if self._steps else None
        if not isinstance(last, _Text):
            last = _Text()
            self._steps.append(last)
        last.text += delta.text
        last.logprobs.extend(delta.logprobs)


def _calling(piece: CallDelta) -> Step:
    return lambda draft: draft.call(piece)
