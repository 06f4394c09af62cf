"""The services that search files and run code, as svc-chat asks them over HTTP."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from servicekit.errors import BadRequest, Forbidden, NotFound, NotReady, UpstreamFailed
from svc_chat.engine.code_service import CodeService
from svc_chat.engine.rag_service import RagService
from svc_chat.engine.tools_base import InputFile, OutputFile, Passage


async def test_svc_rag_is_asked_in_its_own_words() -> None:
    seen: list[tuple[str, str, Any, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        seen.append((request.method, request.url.path, body, request.headers.get("authorization", "")))
        if request.url.path.endswith("/search"):
            hit = {
                "file_id": "f",
                "filename": "a.txt",
                "score": 0.5,
                "attributes": {},
                "content": [{"type": "text", "text": "t"}],
            }
            return httpx.Response(200, json={"data": [hit]})
        if request.method == "GET":
            return httpx.Response(200, json={"file_counts": {"in_progress": int(len(seen) == 1)}})
        if request.method == "DELETE":
            return httpx.Response(404, json={"error": {"message": "gone"}})
        return httpx.Response(200, json={"id": "vs_1"})

    rag = RagService("http://rag/", httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    bearer = {"Authorization": "Bearer t"}
    assert await rag.search(["vs_1"], "q", 3, 0.1, bearer) == [Passage("f", "a.txt", 0.5, "t")]
    assert [one[:2] for one in seen] == [("GET", "/v1/vector_stores/vs_1")] * 2 + [
        ("POST", "/v1/vector_stores/vs_1/search")
    ]
    assert seen[-1][2] == {"query": "q", "max_num_results": 3, "ranking_options": {"score_threshold": 0.1}}
    assert {one[3] for one in seen} == {"Bearer t"}
    assert await rag.make_store(["f"], {"metadata": {"a": "b"}, "vector_store_ids": []}, bearer) == "vs_1"
    assert seen[-1][2] == {"file_ids": ["f"], "metadata": {"a": "b"}}
    await rag.delete_store("vs_1", bearer)
    with pytest.raises(NotFound, match="gone"):
        await rag.forget("f", bearer)
    await rag.close()


async def test_svc_rag_tells_which_files_a_store_had_before() -> None:
    there, seen = {"f 1"}, []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.raw_path.decode()}")
        if request.method == "POST":
            there.add(json.loads(request.content)["file_id"])
        elif request.url.path.rsplit("/", 1)[1] not in there:
            return httpx.Response(404, json={"error": {"message": "gone"}})
        return httpx.Response(200, json={})

    rag = RagService("http://rag/", httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    assert not await rag.add_file("vs_1", "f 1", {})
    assert await rag.add_file("vs_1", "f 2", {}) and there == {"f 1", "f 2"}
    for file_id in ("f 2", "f 3"):
        await rag.remove_file("vs_1", file_id, {})
    assert seen[-2:] == [f"DELETE /v1/vector_stores/vs_1/files/f%20{number}" for number in (2, 3)]
    await rag.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (400, BadRequest),
        (503, NotReady),
        (500, UpstreamFailed),
    ],
)
async def test_what_svc_rag_refuses_becomes_an_error_of_ours(status: int, error: type[Exception]) -> None:
    refusal = httpx.Response(status, json={"error": {"message": "no"}})
    rag = RagService("http://rag", httpx.AsyncClient(transport=httpx.MockTransport(lambda _: refusal)))
    with pytest.raises(error):
        await rag.add_file("vs_1", "f", {})
    await rag.close()


async def test_svc_code_is_given_files_once_a_session_and_asked_again_when_busy(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("svc_chat.engine.code_service._BUSY_S", 0.0)
    seen: list[str] = []
    token, busy = "", 1

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal busy
        seen.append(f"{request.method} {request.url.path}")
        if request.url.path.endswith("/execute"):
            if busy:
                busy -= 1
                return httpx.Response(429, json={"error": {"message": "busy"}})
            files = [{"name": "c.png", "size": 3, "media_type": "image/png"}]
            done = {
                "session": {"id": "t", "token": token}, "stdout": "out\n", "stderr": "", "result": "7", "error": None,
                "files": files, "charts": [], "timed_out": False, "stopped": None,
            }  # fmt: skip
            return httpx.Response(200, json=done)
        if request.method == "PUT":
            return httpx.Response(201, json={})
        if request.url.path.endswith("c.png"):
            return httpx.Response(200, content=b"png")
        return httpx.Response(200, json={"token": token}) if token else httpx.Response(404, json={})

    service = CodeService("http://code", 5.0, httpx.MockTransport(answer))
    path = tmp_path / "f"
    path.write_bytes(b"1,2")
    files = [InputFile("file-1", "a b.csv", path)]
    for number, there in enumerate(["", "one", "two"]):  # none yet, the same, made anew meanwhile
        seen.clear()
        token = there
        result = await service.run("t", "code", files, {})
        if not there:
            service._known["t"].token = "one"
        assert (result.text, result.files) == ("out\n7", (OutputFile("c.png", b"png", True),))
        assert sum(one.startswith("PUT") for one in seen) == (0 if number == 1 else 1), seen
    seen.clear()
    for file_id in ("file-2", "file-2", "file-1"):  # another of the same name, and the first one again
        await service.run("t", "code", [InputFile(file_id, "a b.csv", path)], {})
    assert sum(one.startswith("PUT") for one in seen) == 2
    await service.close()
