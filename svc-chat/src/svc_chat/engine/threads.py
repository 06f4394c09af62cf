"""What is kept of assistants, threads, messages and runs: the contract between the domain and a database.

A body is OpenAI's object as it is shown; keys that begin with `_` are our own and are shown to nobody. Every
call blocks and may come from any thread. Another owner's id is as unknown as one that never was.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from svc_chat.engine.history import Event, Listing, Page

Body = Mapping[str, Any]
WORKING = ("queued", "in_progress", "cancelling")
ACTIVE = (*WORKING, "requires_action")
"""Statuses of runs that lock their thread."""


@dataclass(frozen=True)
class StoredRun:
    """A run. `request` is what is needed to go on with it: the Ask of its first turn."""

    id: str
    owner: str
    thread_id: str
    body: Body
    request: Body
    attempts: int = 1
    created_at: float = 0.0
    expires_at: float = 0.0

    @property
    def status(self) -> str:
        """Its status."""
        return str(self.body["status"])


@dataclass(frozen=True)
class WholeRun:
    """A run with its steps and messages, oldest first, and the number of its next event."""

    run: StoredRun
    steps: tuple[Body, ...] = ()
    messages: tuple[Body, ...] = ()
    next_number: int = 0


@dataclass(frozen=True)
class RunProgress:
    """What happened to a run since it was last written down; steps and messages are whole, by id new or changed."""

    run_id: str
    events: tuple[Event, ...] = ()
    body: Body | None = None
    steps: tuple[Body, ...] = ()
    messages: tuple[Body, ...] = ()
    request: Body | None = None


class Assistants(Protocol):
    """Keeps assistants."""

    def add(self, owner: str, body: Body) -> None:
        """Keep a new one."""
        ...

    def get(self, owner: str, assistant_id: str) -> Body:
        """Return one; raises NotFound."""
        ...

    def list(self, owner: str, page: Page) -> Listing[Body]:
        """List the owner's by when they were made; raises NotFound for an unknown cursor."""
        ...

    def change(self, owner: str, assistant_id: str, change: Callable[[Body], Body]) -> Body:
        """Replace one by what `change` makes of it, and return that; raises NotFound and what `change` raises."""
        ...

    def delete(self, owner: str, assistant_id: str) -> None:
        """Remove one; nothing of its text stays. Raises NotFound."""
        ...


class Threads(Protocol):
    """Keeps threads and their messages."""

    def add(self, owner: str, thread: Body, messages: Sequence[Body]) -> None:
        """Keep a new one with its first messages."""
        ...

    def get(self, owner: str, thread_id: str) -> Body:
        """Return one; raises NotFound."""
        ...

    def listing(self, owner: str, page: Page) -> Listing[Body]:
        """List the owner's by when they were made; raises NotFound for an unknown cursor."""
        ...

    def change(self, owner: str, thread_id: str, change: Callable[[Body], Body]) -> Body:
        """Replace one by what `change` makes of it, and return that; raises NotFound and what `change` raises."""
        ...

    def delete(self, owner: str, thread_id: str) -> None:
        """Remove one with its messages and runs; nothing of their text stays. Raises NotFound."""
        ...

    def active(self, owner: str, thread_id: str) -> str | None:
        """Return the id of the run that locks it; raises NotFound."""
        ...

    def add_message(self, owner: str, thread_id: str, message: Body) -> None:
        """Add one at the end; raises NotFound, ThreadLocked."""
        ...

    def messages(self, owner: str, thread_id: str, page: Page, run_id: str | None = None) -> Listing[Body]:
        """List messages by their place, all or those of one run; raises NotFound."""
        ...

    def all_messages(self, owner: str, thread_id: str) -> Sequence[Body]:
        """Return all messages, oldest first; raises NotFound."""
        ...

    def message(self, owner: str, thread_id: str, message_id: str) -> Body:
        """Return one; raises NotFound."""
        ...

    def change_message(
        self, owner: str, thread_id: str, message_id: str, change: Callable[[Body], Body]
    ) -> Body:
        """Replace one, and return it; raises NotFound."""
        ...

    def delete_message(self, owner: str, thread_id: str, message_id: str) -> None:
        """Remove one; nothing of its text stays. Raises NotFound, ThreadLocked."""
        ...

    def sweep(self, before: float) -> int:
        """Remove threads unused since `before` (seconds since 1970) that no run locks; return how many."""
        ...


class Runs(Protocol):
    """Keeps runs with their steps and events."""

    def add(
        self, run: StoredRun, messages: Sequence[Body], events: Sequence[Event], worker: str, lease_s: float
    ) -> None:
        """Keep a run that `worker` begins to write; its thread gets `messages` first.

        Raises:
            RunActive: its thread has one already.
            NotFound: its thread is gone.
        """
        ...

    def get(self, owner: str, thread_id: str, run_id: str) -> StoredRun:
        """Return one; raises NotFound."""
        ...

    def list(self, owner: str, thread_id: str, page: Page) -> Listing[Body]:
        """List a thread's by when they were made; raises NotFound."""
        ...

    def change(self, owner: str, thread_id: str, run_id: str, metadata: Mapping[str, str]) -> Body:
        """Replace the metadata and return the run; raises NotFound."""
        ...

    def whole(self, run_id: str) -> WholeRun:
        """Return a run with all that belongs to it; raises NotFound."""
        ...

    def events(self, run_id: str, after: int) -> Sequence[Event]:
        """Return the events numbered above `after`."""
        ...

    def steps(self, run_id: str, page: Page) -> Listing[Body]:
        """List a run's steps by their place; raises NotFound for an unknown cursor."""
        ...

    def step(self, run_id: str, step_id: str) -> Body:
        """Return one step; raises NotFound."""
        ...

    def keep(self, worker: str, lease_s: float, progress: Sequence[RunProgress]) -> Collection[str]:
        """Write progress of several runs in one transaction and renew their leases.

        Returns the ids of those that are no longer `worker`'s to write: cancelled or deleted elsewhere.
        """
        ...

    def move(
        self, progress: RunProgress, expected: Collection[str], worker: str = "", lease_s: float = 0.0
    ) -> bool:
        """Write a change of a run that has one of the statuses `expected`, and hand it to `worker`.

        False when its status was another one meanwhile: then nothing is written.
        """
        ...

    def claim(self, worker: str, lease_s: float) -> Sequence[WholeRun]:
        """Take over what nobody writes any more: runs to be worked on whose lease is over."""
        ...

    def overdue(self, now: float) -> Sequence[WholeRun]:
        """Return runs that have expired while they waited for their caller, or while nobody worked on them."""
        ...

    def count_active(self, owner: str) -> int:
        """Count the owner's runs that have not ended."""
        ...
