"""Assistants and threads with their messages. Everything is looked for among the owner's own.

Files that they name must be there; vector stores are made where the caller asks for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from servicekit.errors import NotReady, ServiceError
from servicekit.logs import log_event
from svc_chat.domain.assistants.objects import new_assistant, new_message, new_thread
from svc_chat.domain.files import FileService
from svc_chat.domain.service import ChatService
from svc_chat.engine.history import Listing, Page
from svc_chat.engine.threads import Assistants, Body, Threads
from svc_chat.engine.tools_base import Bearer, CodeInterpreter, FileSearch

log = logging.getLogger(__name__)
ATTACHED_DAYS = 7
"""Days without use after which files attached to messages are not found any more, as OpenAI has it."""


class Resources:
    """Checks the files that tools use, and makes the vector stores that callers ask for."""

    def __init__(self, files: FileService, search: FileSearch | None, interpreter: CodeInterpreter | None):
        self.files, self._search, self._interpreter = files, search, interpreter

    async def resolved(self, owner: str, given: Mapping[str, Any], bearer: Bearer) -> dict[str, Any]:
        """Return OpenAI's `tool_resources` with all that was asked for made; raises NotFound, NotReady."""
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
                ids.append(await self.searcher().make_store(wanted["file_ids"], wanted, bearer))
            kept["file_search"] = {"vector_store_ids": ids}
        return kept

    async def attach(
        self, owner: str, thread: Body, attachments: Sequence[Mapping[str, Any]], bearer: Bearer
    ) -> dict[str, Any]:
        """Return the thread with files made findable that its messages bring along; raises NotFound, NotReady."""
        wanted = []
        for attachment in attachments:
            await self.files.get(owner, attachment["file_id"])
            if any(tool["type"] == "file_search" for tool in attachment["tools"]):
                wanted.append(attachment["file_id"])
        if not wanted:
            return dict(thread)
        resources = dict(thread["tool_resources"])
        ids = list(resources.get("file_search", {}).get("vector_store_ids", ()))
        if ids:
            for file_id in wanted:
                await self.searcher().add_file(ids[0], file_id, bearer)
            return dict(thread)
        expires = {"anchor": "last_active_at", "days": ATTACHED_DAYS}
        made = await self.searcher().make_store(wanted, {"expires_after": expires}, bearer)
        resources["file_search"] = {"vector_store_ids": [made]}
        own = [*thread.get("_own_stores", ()), made]
        return {**thread, "tool_resources": resources, "_own_stores": own}

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
        body = new_assistant(await self._resolved(owner, fields, bearer))
        await asyncio.to_thread(self._store.add, owner, body)
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
        changed = await self._resolved(owner, fields, bearer)
        return await asyncio.to_thread(self._store.change, owner, assistant_id, lambda b: {**b, **changed})

    async def delete(self, owner: str, assistant_id: str) -> None:
        """Remove one; its runs go on."""
        await asyncio.to_thread(self._store.delete, owner, assistant_id)

    async def _resolved(self, owner: str, fields: Mapping[str, Any], bearer: Bearer) -> dict[str, Any]:
        kept = dict(fields)
        if "model" in kept:
            await self._chat.resolve(kept["model"], owner)
        if "tool_resources" in kept:
            kept["tool_resources"] = await self._resources.resolved(owner, kept["tool_resources"], bearer)
        return kept


class ThreadService:
    """Keeps threads and their messages; all calls raise NotFound."""

    def __init__(self, store: Threads, resources: Resources):
        self._store, self._resources = store, resources

    async def create(
        self, owner: str, fields: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], bearer: Bearer
    ) -> Body:
        """Keep a new one with its first messages."""
        thread, made = await self.made(owner, fields, messages, bearer)
        await asyncio.to_thread(self._store.add, owner, thread, made)
        return thread

    async def made(
        self, owner: str, fields: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], bearer: Bearer
    ) -> tuple[Body, list[dict[str, Any]]]:
        """Return a new thread and its messages, without keeping them."""
        kept = dict(fields)
        if "tool_resources" in kept:
            kept["tool_resources"] = await self._resources.resolved(owner, kept["tool_resources"], bearer)
        thread = new_thread(kept)
        made = [new_message(thread["id"], message) for message in messages]
        await self._check_pictures(owner, made)
        attachments = [a for message in made for a in message["attachments"]]
        return await self._resources.attach(owner, thread, attachments, bearer), made

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
        if "tool_resources" in kept:
            kept["tool_resources"] = await self._resources.resolved(owner, kept["tool_resources"], bearer)
        return await asyncio.to_thread(self._store.change, owner, thread_id, lambda b: {**b, **kept})

    async def delete(
        self, owner: str, thread_id: str, bearer: Bearer, end_runs: Callable[[str, str], Any]
    ) -> None:
        """Remove one with its messages and runs, and with what was made for it alone; `end_runs` stops its run."""
        thread = await self.get(owner, thread_id)
        await end_runs(owner, thread_id)
        await self._resources.forget(thread, bearer)
        await asyncio.to_thread(self._store.delete, owner, thread_id)

    async def add_message(
        self, owner: str, thread_id: str, fields: Mapping[str, Any], bearer: Bearer
    ) -> Body:
        """Add a message at the end; raises ThreadLocked."""
        _, (message,) = await self.with_files(owner, thread_id, [fields], bearer)
        await asyncio.to_thread(self._store.add_message, owner, thread_id, message)
        return message

    async def with_files(
        self, owner: str, thread_id: str, messages: Sequence[Mapping[str, Any]], bearer: Bearer
    ) -> tuple[Body, list[dict[str, Any]]]:
        """Return a thread where the files of new messages can be found, and the messages, which are not added yet."""
        thread = await self.get(owner, thread_id)
        made = [new_message(thread_id, message) for message in messages]
        await self._check_pictures(owner, made)
        attachments = [a for message in made for a in message["attachments"]]
        changed = await self._resources.attach(owner, thread, attachments, bearer)
        if changed != thread:
            await asyncio.to_thread(self._store.change, owner, thread_id, lambda _: changed)
        return changed, made

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
