"""Messages that come to one thread at once: what one of them made and takes back is not what the other needs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from servicekit.errors import NotFound, NotReady
from svc_chat.domain.assistants.service import Resources, ThreadService
from svc_chat.engine.database import open_database
from svc_chat.engine.history import Page
from svc_chat.engine.store_threads import SqlThreads
from svc_chat.engine.tools_base import Bearer

from .test_run_tools import Search

TOOLS = [{"type": "file_search"}]


class Files:
    """Has every file."""

    async def get(self, owner: str, file_id: str) -> None:
        return None


class Stores(Search):
    """Knows which files are found in which store."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, set[str]] = {}

    async def make_store(self, file_ids: Sequence[str], options: Any, bearer: Bearer) -> str:
        store_id = await super().make_store(file_ids, options, bearer)
        self.found[store_id] = set(file_ids)
        return store_id

    async def add_file(self, store_id: str, file_id: str, bearer: Bearer) -> bool:
        new = file_id not in self.found[store_id]
        self.found[store_id].add(file_id)
        return new

    async def remove_file(self, store_id: str, file_id: str, bearer: Bearer) -> None:
        self.found[store_id].remove(file_id)

    async def delete_store(self, store_id: str, bearer: Bearer) -> None:
        del self.found[store_id]


def message(file_id: str) -> dict[str, Any]:
    return {"role": "user", "content": [], "attachments": [{"file_id": file_id, "tools": TOOLS}]}


async def come_so_far(threads: ThreadService, adding: asyncio.Task[Any]) -> None:
    """Wait until a message is added, or waits for the one before it."""
    async with asyncio.timeout(60):
        while not (adding.done() or any(lock._waiters for lock in threads._adding.values())):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_message_keeps_its_file_though_the_one_just_before_it_is_refused(
    tmp_path: Path, begun: bool
) -> None:
    files: Any = Files()
    search = Stores()
    store = SqlThreads(open_database(f"sqlite:///{tmp_path}/chat.db"))
    threads = ThreadService(store, Resources(files, search, None))
    thread_id = (await threads.create("ana", {}, [message("first")] if begun else [], {}))["id"]
    with pytest.raises(NotReady):
        async with threads.adding("ana", thread_id, [message("same")], {}):
            second = asyncio.create_task(threads.add_message("ana", thread_id, message("same"), {}))
            await come_so_far(threads, second)
            raise NotReady("There is no room for a run.")
    await second
    thread = await threads.get("ana", thread_id)
    (kept,) = thread["tool_resources"]["file_search"]["vector_store_ids"]
    assert search.found == {kept: {"first", "same"} if begun else {"same"}}
    assert len((await threads.messages("ana", thread_id, Page(9))).rows) == 1 + begun


async def test_threads_to_which_nobody_adds_are_forgotten(tmp_path: Path) -> None:
    files: Any = Files()
    store = SqlThreads(open_database(f"sqlite:///{tmp_path}/chat.db"))
    threads = ThreadService(store, Resources(files, Stores(), None))
    thread_id = (await threads.create("ana", {}, [], {}))["id"]
    await asyncio.gather(*(threads.add_message("ana", thread_id, message("x"), {}) for _ in range(5)))
    gc.collect()
    assert len(threads._adding) == 0
    for number in range(9):
        with contextlib.suppress(NotFound):
            await threads.add_message("ana", f"thread_{number}", message("x"), {})
    gc.collect()
    assert len(threads._adding) <= 1, "the thread that looked last may still hold its error"
    assert len((await threads.messages("ana", thread_id, Page(9))).rows) == 5
