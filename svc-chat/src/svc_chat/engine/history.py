"""What is kept of conversations and answers: the contract between the domain and a database.

Every call blocks and may come from any thread. Another owner's id is as unknown as one that never was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

Item = Mapping[str, Any]
"""A message, function call or function result as OpenAI writes it, with its `id`."""
Event = Mapping[str, Any]
"""An event of a response as OpenAI writes it, with its `type` and `sequence_number`."""
T = TypeVar("T")
UNFINISHED = ("queued", "in_progress")


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted; `after` is the id of the row before the first."""

    limit: int = 20
    after: str | None = None
    newest_first: bool = True
    before: str | None = None
    """Id of the row after the last; not every list has it."""


@dataclass(frozen=True)
class Listing(Generic[T]):
    """Part of a list."""

    rows: tuple[T, ...]
    has_more: bool


@dataclass(frozen=True)
class Conversation:
    """A conversation without its items. Times in seconds since 1970."""

    id: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    first_text: str = ""
    """The first thing that the user wrote."""
    created_at: float = 0.0
    updated_at: float = 0.0
    running: str | None = None
    """Id of the response that is being written, if there is one."""


@dataclass(frozen=True)
class StoredResponse:
    """A response. `body` is OpenAI's object, `request` what is needed to go on writing it."""

    id: str
    owner: str
    status: str
    body: Mapping[str, Any]
    request: Mapping[str, Any]
    input: tuple[Item, ...] = ()
    background: bool = False
    conversation_id: str | None = None
    previous_id: str | None = None
    attempts: int = 1
    read_until: str | None = None
    """The last item of its conversation that it read; only told when it is added."""
    written: int = 0
    """Tokens of the answer that are written, as far as they can be told apart."""
    created_at: float = 0.0


@dataclass(frozen=True)
class Progress:
    """What happened to a response since it was last written down."""

    response_id: str
    events: tuple[Event, ...] = ()
    status: str | None = None
    body: Mapping[str, Any] | None = None
    request: Mapping[str, Any] | None = None
    written: int | None = None
    output: tuple[Item, ...] = ()
    """Items that its conversation gets."""


class Conversations(Protocol):
    """Keeps conversations and their items."""

    def add(self, owner: str, conversation: Conversation, items: Sequence[Item]) -> None:
        """Keep a new conversation."""
        ...

    def get(self, owner: str, conversation_id: str) -> Conversation:
        """Return one; raises NotFound."""
        ...

    def list(self, owner: str, page: Page) -> Listing[Conversation]:
        """List the owner's, by when something was last added; raises NotFound for an unknown `after`."""
        ...

    def change(self, owner: str, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Replace the metadata; raises NotFound."""
        ...

    def delete(self, owner: str, conversation_id: str) -> None:
        """Remove it with its items and responses; nothing of their text stays. Raises NotFound."""
        ...

    def add_items(self, owner: str, conversation_id: str, items: Sequence[Item]) -> None:
        """Add items at the end; raises NotFound, ConversationLocked while a response is being written."""
        ...

    def items(self, owner: str, conversation_id: str, page: Page) -> Listing[Item]:
        """List items by their place, each with its `response_id`; raises NotFound."""
        ...

    def all_items(self, owner: str, conversation_id: str) -> Sequence[Item]:
        """Return all items, oldest first; raises NotFound."""
        ...

    def item(self, owner: str, conversation_id: str, item_id: str) -> Item:
        """Return one item with its `response_id`; raises NotFound."""
        ...

    def delete_item(self, owner: str, conversation_id: str, item_id: str) -> Conversation:
        """Remove one item and return the conversation; raises NotFound."""
        ...


class Responses(Protocol):
    """Keeps responses and their events."""

    def add(self, response: StoredResponse, events: Sequence[Event], worker: str, lease_s: float) -> None:
        """Keep a response that `worker` begins to write; its conversation gets the input.

        Raises:
            ConversationLocked: its conversation has one in progress, or got items that it did not read.
            NotFound: its conversation is gone.
        """
        ...

    def get(self, owner: str, response_id: str) -> StoredResponse:
        """Return one; raises NotFound."""
        ...

    def chain(self, owner: str, response_id: str) -> Sequence[StoredResponse]:
        """Return a response and all that came before it, oldest first; raises NotFound."""
        ...

    def events(self, response_id: str, after: int) -> Sequence[Event]:
        """Return the events numbered above `after`."""
        ...

    def keep(self, worker: str, lease_s: float, progress: Sequence[Progress]) -> Collection[str]:
        """Write progress of several responses in one transaction and renew their leases.

        Returns the ids of those that are no longer `worker`'s to write: cancelled or deleted elsewhere.
        """
        ...

    def cancel(self, owner: str, response_id: str) -> StoredResponse:
        """End one that another process writes; raises NotFound."""
        ...

    def delete(self, owner: str, response_id: str) -> None:
        """Remove one with its events; nothing of its text stays. Raises NotFound."""
        ...

    def withdraw(self, response_id: str) -> None:
        """Remove one that never began, and the items that its conversation got for it."""
        ...

    def waiting(self, owner: str) -> int:
        """Count the owner's background responses that have not ended."""
        ...

    def claim(self, worker: str, lease_s: float) -> Sequence[StoredResponse]:
        """Take over what nobody writes any more: unfinished responses whose lease is over."""
        ...

    def sweep(self, before: float) -> int:
        """Remove responses and conversations unused since `before` (seconds since 1970); return how many."""
        ...
