"""Assistants and threads with their messages. Everything is looked for among the owner's own.

Files that they name must be there; vector stores are made where the caller asks for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from servicekit.errors import NotReady, ServiceError
from servicekit.logs import log_event
from servicekit.uninterrupted import uninterrupted
from svc_chat.domain.assistants.objects import new_assistant, new_message, new_thread
from svc_chat.domain.files import FileService
from svc_chat.domain.service import ChatService
from svc_chat.engine.history import Listing, Page
from svc_chat.engine.threads import Assistants, Body, Threads
from svc_chat.engine.tools_base import Bearer, CodeInterpreter, FileSearch

log = logging.getLogger(__name__)
T = TypeVar("T")
ATTACHED_DAYS = 7
"""Days without use after which files attached to messages are not found any more, as OpenAI has it."""


class Made:
    """What a request made so far: it goes again unless the request comes to its end."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], Awaitable[None]]] = []

    def takes_back(self, undo: Callable[[], Awaitable[None]]) -> None:
        """Remember how to remove what is being made."""
        self._undo.append(undo)

    async def keep(self, write: Coroutine[Any, Any, T]) -> T:
        """Write down what refers to all that was made, to its end; from then on it stays."""

        async def kept() -> T:
            found = await write
            self._undo.clear()
            return found

        return await uninterrupted(kept())

    async def undo(self) -> None:
        """Remove everything, what was made last first."""
        while self._undo:
            try:
                await self._undo.pop()()
            except ServiceError as error:  # the caller is to learn why it was refused, not of this
                log_event(log, "not removed again", level=logging.WARNING, reason=error.code)
            except Exception:
                log.exception("not removed again")


class Resources:
    """Checks the files that tools use, and makes the vector stores that callers ask for."""

    def __init__(self, files: FileService, search: FileSearch | None, interpreter: CodeInterpreter | None):
        self.files, self._search, self._interpreter = files, search, interpreter

    @asynccontextmanager
    async def making(self) -> AsyncIterator[Made]:
        """Give what remembers what a request makes; if it is refused, or its caller leaves, that goes again."""
        made = Made()
        try:
            yield made
        except (Exception, asyncio.CancelledError):
            await uninterrupted(made.undo())
            raise

    async def resolved(
        self, owner: str, given: Mapping[str, Any], bearer: Bearer, made: Made
    ) -> dict[str, Any]:
        """Return OpenAI's `tool_resources` with all that was asked for made; raises NotFound, NotReady.

        Stores that it makes are remembered in `made`.
        """
        kept: dict[str, Any] = {}
        code, search = given.get("code_interpreter"), given.get("file_search")
        if code is not None:
            for file_id in code["file_ids"]:
                await self.files.get(owner, file_id)
            kept["code_interpreter"] = {"file_ids": list(code["file_ids"])}
        if search is not None:
            ids = list(search["vector_store_ids"])
            for wanted in search["vector_stores"]:
                for file_id in wanted["file_ids"]:
                    await self.files.get(owner, file_id)
                ids.append(await self._make_store(wanted["file_ids"], wanted, bearer, made))
            kept["file_search"] = {"vector_store_ids": ids}
        return kept

    async def attach(
        self,
        owner: str,
        thread: Body,
        attachments: Sequence[Mapping[str, Any]],
        bearer: Bearer,
        made: Made,
    ) -> dict[str, Any]:
        """Return the thread with files made findable that its messages bring along; raises NotFound, NotReady.

        A store that it makes, and files that it adds to one, are remembered in `made`.
        """
        wanted = []
        for attachment in attachments:
            await self.files.get(owner, attachment["file_id"])
            if any(tool["type"] == "file_search" for tool in attachment["tools"]):
                wanted.append(attachment["file_id"])
        if not wanted:
            return dict(thread)
        ids = _stores(thread)
        if ids:
            for file_id in wanted:
                await self._add_file(ids[0], file_id, bearer, made)
            return dict(thread)
        expires = {"anchor": "last_active_at", "days": ATTACHED_DAYS}
        store_id = await self._make_store(wanted, {"expires_after": expires}, bearer, made)
        return _with_stores(thread, [store_id], ())

    async def forget(self, thread: Body, bearer: Bearer) -> None:
        """Remove what was made for a thread alone; raises ServiceError, and then the thread is to stay."""
        for store_id in thread.get("_own_stores", ()):
            if self._search is not None:
                await self._search.delete_store(store_id, bearer)
        if self._interpreter is not None:
            try:
                await self._interpreter.forget(thread["id"], bearer)
            except (
                ServiceError
            ) as error:  # its files are gone soon anyway: sessions end when nobody uses them
                log_event(log, "session of code not ended", level=logging.WARNING, reason=error.code)

    async def _make_store(
        self, file_ids: Sequence[str], options: Mapping[str, Any], bearer: Bearer, made: Made
    ) -> str:
        searcher = self.searcher()

        async def made_known() -> str:
            store_id = await searcher.make_store(file_ids, options, bearer)
            made.takes_back(lambda: searcher.delete_store(store_id, bearer))
            return store_id

        return await uninterrupted(made_known())  # a store that is asked for is made, whoever leaves

    async def _add_file(self, store_id: str, file_id: str, bearer: Bearer, made: Made) -> None:
        searcher = self.searcher()

        async def made_known() -> None:
            if await searcher.add_file(store_id, file_id, bearer):
                made.takes_back(lambda: searcher.remove_file(store_id, file_id, bearer))

        await uninterrupted(made_known())

    def searcher(self) -> FileSearch:
        """Return who searches; raises NotReady when nobody does."""
        if self._search is None:
            raise NotReady(
                "Searching files is off on this server. Its owner turns it on with RAG_URL.",
                param="tool_resources.file_search",
                retry_after_s=None,
            )
        return self._search


class AssistantService:
    """Keeps assistants; all calls raise NotFound."""

    def __init__(self, store: Assistants, resources: Resources, chat: ChatService):
        self._store, self._resources, self._chat = store, resources, chat

    async def create(self, owner: str, fields: Mapping[str, Any], bearer: Bearer) -> Body:
        """Keep a new one; raises ModelNotFound, NotFound for its files."""
        async with self._resources.making() as made:
            body = new_assistant(await self._resolved(owner, fields, bearer, made))
            await made.keep(asyncio.to_thread(self._store.add, owner, body))
        return body

    async def get(self, owner: str, assistant_id: str) -> Body:
        """Return one."""
        return await asyncio.to_thread(self._store.get, owner, assistant_id)

    async def list(self, owner: str, page: Page) -> Listing[Body]:
        """List them by when they were made."""
        return await asyncio.to_thread(self._store.list, owner, page)

    async def change(self, owner: str, assistant_id: str, fields: Mapping[str, Any], bearer: Bearer) -> Body:
        """Replace the fields that are given."""
        await self.get(owner, assistant_id)
        async with self._resources.making() as made:
            changed = await self._resolved(owner, fields, bearer, made)
            return await made.keep(
                asyncio.to_thread(self._store.change, owner, assistant_id, lambda b: {**b, **changed})
            )

    async def delete(self, owner: str, assistant_id: str) -> None:
        """Remove one; its runs go on."""
        await asyncio.to_thread(self._store.delete, owner, assistant_id)

    async def _resolved(
        self, owner: str, fields: Mapping[str, Any], bearer: Bearer, made: Made
    ) -> dict[str, Any]:
        kept = dict(fields)
        if "model" in kept:
            await self._chat.resolve(kept["model"], owner, bearer)
        if "tool_resources" in kept:
            kept["tool_resources"] = await self._resources.resolved(
                owner, kept["tool_resources"], bearer, made
            )
        return kept


class ThreadService:
    """Keeps threads and their messages; all calls raise NotFound."""

    def __init__(self, store: Threads, resources: Resources):
        self._store, self._resources = store, resources
        self._adding: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        """One for each thread to which messages are just being added."""

    async def create(
        self, owner: str, fields: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], bearer: Bearer
    ) -> Body:
        """Keep a new one with its first messages."""
        async with self.begun(owner, fields, messages, bearer) as (thread, _):
            return thread

    @asynccontextmanager
    async def begun(
        self, owner: str, fields: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], bearer: Bearer
    ) -> AsyncIterator[tuple[Body, Made]]:
        """Keep a new one with its first messages; if what is done with it is refused or left, nothing of it stays."""
        async with self._resources.making() as stores:
            kept = dict(fields)
            if "tool_resources" in kept:
                kept["tool_resources"] = await self._resources.resolved(
                    owner, kept["tool_resources"], bearer, stores
                )
            thread = new_thread(kept)
            made = [new_message(thread["id"], message) for message in messages]
            await self._check_pictures(owner, made)
            attachments = [a for message in made for a in message["attachments"]]
            thread = await self._resources.attach(owner, thread, attachments, bearer, stores)
            stores.takes_back(lambda: asyncio.to_thread(self._store.delete, owner, thread["id"]))
            await uninterrupted(asyncio.to_thread(self._store.add, owner, thread, made))
            yield thread, stores

    async def get(self, owner: str, thread_id: str) -> Body:
        """Return one."""
        return await asyncio.to_thread(self._store.get, owner, thread_id)

    async def listing(self, owner: str, page: Page) -> Listing[Body]:
        """List the owner's, which OpenAI's API cannot."""
        return await asyncio.to_thread(self._store.listing, owner, page)

    async def change(self, owner: str, thread_id: str, fields: Mapping[str, Any], bearer: Bearer) -> Body:
        """Replace the metadata or the resources of its tools."""
        kept = dict(fields)
        await self.get(owner, thread_id)
        async with self._resources.making() as made:
            if "tool_resources" in kept:
                kept["tool_resources"] = await self._resources.resolved(
                    owner, kept["tool_resources"], bearer, made
                )
            return await made.keep(
                asyncio.to_thread(self._store.change, owner, thread_id, lambda b: {**b, **kept})
            )

    async def delete(
        self, owner: str, thread_id: str, bearer: Bearer, end_runs: Callable[[str, str], Any]
    ) -> None:
        """Remove one with its messages and runs, and with what was made for it alone; `end_runs` stops its run."""
        thread = await self.get(owner, thread_id)
        await end_runs(owner, thread_id)

        async def gone() -> None:
            await self._resources.forget(thread, bearer)
            await asyncio.to_thread(self._store.delete, owner, thread_id)

        await uninterrupted(gone())  # a thread without the stores that it names is of no use

    async def add_message(
        self, owner: str, thread_id: str, fields: Mapping[str, Any], bearer: Bearer
    ) -> Body:
        """Add a message at the end; raises ThreadLocked."""
        async with self.adding(owner, thread_id, [fields], bearer) as (_, (message,), made):
            await made.keep(asyncio.to_thread(self._store.add_message, owner, thread_id, message))
            return message

    @asynccontextmanager
    async def adding(
        self, owner: str, thread_id: str, messages: Sequence[Mapping[str, Any]], bearer: Bearer
    ) -> AsyncIterator[tuple[Body, list[dict[str, Any]], Made]]:
        """Give a thread where the files of new messages can be found, and the messages, which are not added yet.

        Unless they are, and that is kept, the thread is again as it was. Whoever adds to the same thread waits.
        """
        lock = self._adding.setdefault((owner, thread_id), asyncio.Lock())
        async with lock:  # who comes meanwhile must not build upon a store that may go again
            thread = await self.get(owner, thread_id)
            made = [new_message(thread_id, message) for message in messages]
            await self._check_pictures(owner, made)
            attachments = [a for message in made for a in message["attachments"]]
            async with self._resources.making() as stores:
                changed = await self._resources.attach(owner, thread, attachments, bearer, stores)
                new = [
                    id_ for id_ in changed.get("_own_stores", ()) if id_ not in thread.get("_own_stores", ())
                ]
                if new:
                    stores.takes_back(lambda: self._change_stores(owner, thread_id, (), new))
                    await uninterrupted(self._change_stores(owner, thread_id, new, ()))
                yield changed, made, stores

    async def _change_stores(
        self, owner: str, thread_id: str, new: Sequence[str], gone: Sequence[str]
    ) -> None:
        await asyncio.to_thread(
            self._store.change, owner, thread_id, lambda body: _with_stores(body, new, gone)
        )

    async def messages(
        self, owner: str, thread_id: str, page: Page, run_id: str | None = None
    ) -> Listing[Body]:
        """List messages by their place."""
        return await asyncio.to_thread(self._store.messages, owner, thread_id, page, run_id)

    async def message(self, owner: str, thread_id: str, message_id: str) -> Body:
        """Return one message."""
        return await asyncio.to_thread(self._store.message, owner, thread_id, message_id)

    async def change_message(
        self, owner: str, thread_id: str, message_id: str, metadata: Mapping[str, str]
    ) -> Body:
        """Replace a message's metadata."""
        return await asyncio.to_thread(
            self._store.change_message, owner, thread_id, message_id, lambda b: {**b, "metadata": metadata}
        )

    async def delete_message(self, owner: str, thread_id: str, message_id: str) -> None:
        """Remove a message; raises ThreadLocked."""
        await asyncio.to_thread(self._store.delete_message, owner, thread_id, message_id)

    async def _check_pictures(self, owner: str, messages: Sequence[Body]) -> None:
        for message in messages:
            for part in message["content"]:
                if part["type"] == "image_file":
                    await self._resources.files.get(owner, part["image_file"]["file_id"])


def _stores(thread: Body) -> list[str]:
    return list(thread["tool_resources"].get("file_search", {}).get("vector_store_ids", ()))


def _with_stores(thread: Body, new: Sequence[str], gone: Sequence[str]) -> dict[str, Any]:
    """Return a thread that has other stores of its own besides those that its caller named."""
    ids = [id_ for id_ in (*_stores(thread), *new) if id_ not in gone]
    own = [id_ for id_ in (*thread.get("_own_stores", ()), *new) if id_ not in gone]
    resources = {name: kept for name, kept in thread["tool_resources"].items() if name != "file_search"}
    if ids:
        resources["file_search"] = {"vector_store_ids": ids}
    return {**thread, "tool_resources": resources, "_own_stores": own}
