"""Who leaves while a thread, a run or an assistant is made for them has asked for nothing: nothing of it stays."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.store_threads import SqlAssistants
from svc_chat.engine.tools_base import Bearer
from svc_chat.settings import Settings

from .test_run_tools import Search

TOOLS = [{"type": "file_search"}]
HEADERS = {"host": "testserver", "content-type": "application/json"}


class Slow(Search):
    """Makes a store, and tells of it once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def make_store(self, file_ids: Sequence[str], options: Any, bearer: Bearer) -> str:
        self.begun.set()
        await self.go.wait()
        return await super().make_store(file_ids, options, bearer)


class Never:
    """Is asked for a lasting permission, and does not answer."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def for_work(self, bearer: Bearer, seconds: float) -> dict[str, str]:
        self.begun.set()
        await asyncio.Event().wait()
        return {}

    async def close(self) -> None:
        return None


class House:
    """A service with a file, and callers who leave it."""

    def __init__(self, folder: Path):
        self.search, self.delegation = Slow(), Never()
        settings = Settings(data_dir=folder, auth="off", allowed_hosts=("testserver",), vision_url="")
        self.app = create_app(
            settings, FakeEngine("ok"), tools=(self.search, None), delegation=self.delegation
        )
        transport = httpx.ASGITransport(self.app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://testserver/v1")

    async def file(self) -> str:
        sent = {"file": ("a.txt", b"text")}
        answer = await self.http.post("/files", files=sent, data={"purpose": "assistants"})
        return str(answer.json()["id"])

    async def left(self, path: str, body: Any, when: asyncio.Event) -> None:
        """Ask, and leave at `when`; returns once the service has done with it."""
        sent = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if sent:
                return sent.pop()
            await when.wait()
            return {"type": "http.disconnect"}

        async def send(_: Any) -> None:
            return None

        headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
        scope = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
                 "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers,
                 "scheme": "http", "server": ("testserver", 80), "client": ("test", 1), "root_path": ""}  # fmt: skip
        await self.app(scope, receive, send)  # type: ignore[arg-type]

    async def there(self, what: str) -> list[Any]:
        found: list[Any] = (await self.http.get(f"/{what}")).json()["data"]
        return found


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path)
    async with asyncio.timeout(120), made.app.router.lifespan_context(made.app), made.http:
        yield made


def wanted(file_id: str) -> dict[str, Any]:
    return {"file_search": {"vector_stores": [{"file_ids": [file_id]}]}}


@pytest.mark.parametrize("what", ["threads", "assistants"])
async def test_a_store_that_was_just_being_made_goes_again(house: House, what: str) -> None:
    body = {"model": "gpt-4o", "tools": TOOLS} if what == "assistants" else {}
    body["tool_resources"] = wanted(await house.file())
    house.search.go.clear()
    leaving = asyncio.create_task(house.left(f"/v1/{what}", body, house.search.begun))
    await house.search.begun.wait()
    for _ in range(100):  # the service has seen it, and still has no id of a store to remove
        await asyncio.sleep(0)
    house.search.go.set()
    await leaving
    assert house.search.deleted == ["vs_1"] and len(house.search.made) == 1
    assert await house.there(what) == []


async def test_a_thread_and_its_store_go_when_the_caller_leaves_before_the_run(house: House) -> None:
    file_id = await house.file()
    assistant = (await house.http.post("/assistants", json={"model": "gpt-4o", "tools": TOOLS})).json()
    message = {"role": "user", "content": "x", "attachments": [{"file_id": file_id, "tools": TOOLS}]}
    thread = {"messages": [message], "tool_resources": {}}
    body = {"assistant_id": assistant["id"], "thread": thread}
    await house.left("/v1/threads/runs", body, house.delegation.begun)
    assert house.delegation.begun.is_set() and house.search.deleted == ["vs_1"]
    assert await house.there("threads") == []


async def test_who_leaves_while_the_last_word_is_written_keeps_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, loop = asyncio.Event(), threading.Event(), asyncio.get_running_loop()
    add = SqlAssistants.add

    def slowly(store: SqlAssistants, owner: str, body: Any) -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go.wait(60)
        add(store, owner, body)

    monkeypatch.setattr(SqlAssistants, "add", slowly)
    body = {"model": "gpt-4o", "tools": TOOLS, "tool_resources": wanted(await house.file())}
    leaving = asyncio.create_task(house.left("/v1/assistants", body, begun))
    await begun.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    go.set()
    await leaving
    (kept,) = await house.there("assistants")
    assert kept["tool_resources"]["file_search"]["vector_store_ids"] == ["vs_1"]
    assert house.search.deleted == []
