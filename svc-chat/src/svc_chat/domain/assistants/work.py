"""One run that this process works on: what came and is not kept yet, and what may be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from svc_chat.domain.assistants.state import Events, RunState
from svc_chat.domain.telling import Telling
from svc_chat.engine.history import Event
from svc_chat.engine.threads import WORKING, RunProgress, StoredRun, WholeRun

Change = Callable[[RunState], Events]


@dataclass
class _Text:
    """Text that came since the last write; pieces of one transaction are one event."""

    text: str
    pictures: tuple[str, ...]
    tokens: int = 1

    def __call__(self, state: RunState) -> Events:
        return state.write(self.text, self.pictures, self.tokens)


@dataclass
class Grant:
    """What lets this process act for a run's caller, as it is sent to others; never written down so."""

    bearer: Mapping[str, str] = field(default_factory=dict)


class AssistantRun(Telling):
    """Belongs to the event loop. Changes are made when they are written down, in their order."""

    def __init__(self, whole: WholeRun, grant: Grant | None = None, told: Sequence[Event] = ()):
        super().__init__(told, whole.next_number - len(told))
        self.stored: StoredRun = whole.run
        self.state = RunState(whole)
        self.grant = grant or Grant()
        self._changes: list[Change] = []
        self._ends = False
        self._asked = self._taken = self._kept = 0
        self.request: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        """Id of the run."""
        return self.stored.id

    @property
    def ended(self) -> bool:
        """Whether this process has no more to do with it: it has ended, or waits for its caller."""
        return self.state.status not in WORKING

    @property
    def ends(self) -> bool:
        """Whether the last change came already."""
        return self._ends

    @property
    def bearer(self) -> Mapping[str, str]:
        """What lets this process act for the run's caller."""
        return self.grant.bearer

    @property
    def snapshot(self) -> Mapping[str, Any]:
        """The run's object as it was last told."""
        runs = (e["data"] for e in reversed(self.told) if e["data"].get("object") == "thread.run")
        return next(runs, self.stored.body)

    def write(self, text: str, pictures: tuple[str, ...] = ()) -> None:
        """Take a piece of the message."""
        last = self._changes[-1] if self._changes else None
        if isinstance(last, _Text):
            last.text += text
            last.tokens += 1
        else:
            self._changes.append(_Text(text, pictures))

    def change(self, change: Change) -> None:
        """Take another change."""
        self._asked += 1
        self._changes.append(change)

    def end(self, change: Change) -> None:
        """Take the last change."""
        self.change(change)
        self._ends = True

    def take(self) -> RunProgress | None:
        """Make the changes that came since the last time, and return them for the database."""
        changes, self._changes = self._changes, []
        self._taken = self._asked
        request, self.request = self.request, None
        if not changes and request is None:
            return None
        events = [event for change in changes for event in change(self.state)]
        return replace(self.state.take(events), request=request)

    def publish(self, events: Sequence[Event]) -> None:
        """Tell readers what is now in the database."""
        self._kept = self._taken
        super().publish(events)

    async def settled(self) -> None:
        """Wait until all changes are in the database, or nobody writes them any more."""
        wanted = self._asked
        while self._kept < wanted and not self.done.is_set():
            await self._changed.wait()

    def renewal(self) -> RunProgress:
        """Return a sign of life for the database."""
        return RunProgress(self.id)
