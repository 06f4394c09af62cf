"""OpenAI's Files: kept, listed, given back and gone when deleted, whatever is sent."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types import FileObject

from servicekit.contract import TestKeys
from servicekit.errors import NotReady
from svc_chat.app import create_app
from svc_chat.domain.files import FileLimits, FileService, shown
from svc_chat.engine.database import open_database, writing
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.file_folder import FileFolder
from svc_chat.engine.history import Page
from svc_chat.engine.store_files import SqlFiles
from svc_chat.engine.tables import FILES
from svc_chat.errors import FileQuotaReached, FileTooLarge
from svc_chat.settings import Settings

Make = Callable[..., TestClient]
MARK = b"quem guarda tem"


def official(client: TestClient) -> OpenAI:
    return OpenAI(base_url="http://testserver/v1", api_key="x", http_client=client, max_retries=0)  # type: ignore[arg-type]


def send(client: TestClient, content: bytes = b"hello", name: str = "a.txt", **fields: Any) -> Any:
    data = {"purpose": "user_data", **fields}
    return client.post("/v1/files", files={"file": (name, content)}, data=data)


def on_disk(folder: Path, what: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and what in path.read_bytes()]


def test_a_file_is_given_back_as_it_came(client: TestClient) -> None:
    openai = official(client)
    content = bytes(range(256)) * 5000 + b"\r\n--x\r\n"
    made = openai.files.create(file=("notes é.bin", content), purpose="assistants")
    assert (made.filename, made.bytes, made.purpose) == ("notes é.bin", len(content), "assistants")
    assert made.status == "processed"
    assert openai.files.retrieve(made.id) == made
    assert openai.files.content(made.id).read() == content
    told = client.get(f"/v1/files/{made.id}").json()
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    FileObject.model_validate(told, strict=True)


def test_files_are_listed_in_pages(client: TestClient) -> None:
    openai = official(client)
    ids = [openai.files.create(file=(f"{n}.txt", b"x"), purpose="user_data").id for n in range(5)]
    other = openai.files.create(file=("o.txt", b"x"), purpose="vision").id
    assert [file.id for file in openai.files.list(limit=2)] == [other, *ids[::-1]]
    assert [file.id for file in openai.files.list(limit=2, order="asc", purpose="user_data")] == ids
    page = openai.files.list(limit=2, after=ids[4])
    assert ([file.id for file in page.data], page.has_more) == ([ids[3], ids[2]], True)
    with pytest.raises(NotFoundError):
        openai.files.list(after="file-0")


def test_a_deleted_file_is_gone_from_disk_and_database(client: TestClient, tmp_path: Path) -> None:
    made = send(client, MARK, f"{MARK.decode()}.txt").json()
    assert on_disk(tmp_path, MARK)
    answer = client.delete(f"/v1/files/{made['id']}")
    assert answer.json() == {"id": made["id"], "object": "file", "deleted": True}
    assert on_disk(tmp_path, MARK) == []
    for call in ("", "/content"):
        assert client.get(f"/v1/files/{made['id']}{call}").status_code == 404
    assert client.delete(f"/v1/files/{made['id']}").status_code == 404


@pytest.mark.parametrize(
    ("name", "is_shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\x.txt", "x.txt"),
        ("..", "file"),
        ("a\u202etxt.exe", "atxt.exe"),
        ("a\x00b\nc", "abc"),
        ("x" * 500 + ".txt", ("x" * 500 + ".txt")[-200:]),
        ("<script>.html", "<script>.html"),
    ],
)
def test_a_hostile_name_is_shown_harmless_and_is_no_path(tmp_path: Path, name: str, is_shown: str) -> None:
    assert shown(name) == is_shown


def test_a_hostile_name_harms_nothing(client: TestClient, tmp_path: Path) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="../../../evil\r\n X: y"\r\n\r\nhi\r\n'
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n--b--\r\n'
    )
    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post("/v1/files", content=body, headers=kind)
    assert answer.status_code in (200, 400)
    assert not (tmp_path.parent / "evil").exists()
    made = send(client, name='"; rm -rf ~; \u202e.html').json()
    content = client.get(f"/v1/files/{made['id']}/content")
    assert content.headers["content-disposition"].startswith("attachment;")
    assert content.headers["content-type"] == "application/octet-stream"
    assert (content.headers["x-content-type-options"], content.text) == ("nosniff", "hello")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "nonsense"}, "purpose"),
        ({"purpose": "assistants_output"}, "purpose"),
        ({"expires_after[anchor]": "later", "expires_after[seconds]": "3600"}, "expires_after.anchor"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "60"}, "expires_after.seconds"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "-1"}, "expires_after.seconds"),
    ],
)
def test_wrong_fields_are_named_and_nothing_is_kept(
    client: TestClient, tmp_path: Path, fields: dict[str, str], param: str
) -> None:
    answer = send(client, **fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert list((tmp_path / "files").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncut off", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data", 400),
        (b"{}", "application/json", 415),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 400),
        (b"--b\r\nX: " + b"y" * 9000 + b"\r\n\r\n\r\n--b--\r\n", "multipart/form-data; boundary=b", 400),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused(
    client: TestClient, tmp_path: Path, content: bytes, kind: str, status: int
) -> None:
    answer = client.post("/v1/files", content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert list((tmp_path / "files").iterdir()) == []


def test_empty_files_and_missing_ones_are_refused(client: TestClient) -> None:
    assert send(client, b"").json()["error"]["message"].startswith("The file is empty")
    answer = client.post("/v1/files", data={"purpose": "vision"}, files={"other": ("a", b"x")})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "file")


def test_a_file_over_the_limit_is_413_and_leaves_nothing(make_client: Make, tmp_path: Path) -> None:
    client = make_client(max_file_bytes=100_000)
    assert send(client, b"x" * 100_000).status_code == 200
    answer = send(client, b"x" * 100_001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "file_too_large")
    assert "100,000" in answer.json()["error"]["message"]
    assert send(client, b"x" * 300_000).status_code == 413
    assert len(list((tmp_path / "files").iterdir())) == 1


def test_a_caller_s_files_have_a_quota_of_their_own(make_client: Make) -> None:
    client = make_client(files_quota_bytes=1000)
    first = send(client, b"x" * 600).json()["id"]
    answer = send(client, b"x" * 401)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "file_quota_reached")
    assert "600" in answer.json()["error"]["message"]
    client.delete(f"/v1/files/{first}")
    assert send(client, b"x" * 1000).status_code == 200
    assert send(client, b"x").status_code == 413


def test_nobody_sees_another_s_files(tmp_path: Path) -> None:
    keys = TestKeys()
    settings = Settings(data_dir=tmp_path, allowed_hosts=("testserver",), vision_url="", rag_url="")
    with TestClient(create_app(settings, FakeEngine(), keys.authenticator(settings))) as client:
        ana, rui = keys.headers("ana"), keys.headers("rui")
        sent = client.post(
            "/v1/files", files={"file": ("a", b"x")}, data={"purpose": "vision"}, headers=ana
        ).json()
        for method, path in itertools.product(("GET", "DELETE"), ("", "/content")):
            if (method, path) == ("DELETE", "/content"):
                continue
            answer = client.request(method, f"/v1/files/{sent['id']}{path}", headers=rui)
            assert answer.status_code == 404
        assert client.get("/v1/files", headers=rui).json()["data"] == []
        assert client.get(f"/v1/files/{sent['id']}/content", headers=ana).content == b"x"
        assert client.get("/v1/files").status_code == 401


def test_a_file_expires_when_it_was_told_to(client: TestClient, tmp_path: Path) -> None:
    openai = official(client)
    made = openai.files.create(
        file=("a.txt", MARK),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert made.expires_at == made.created_at + 3600
    batch = openai.files.create(file=("b.jsonl", b"{}"), purpose="batch")
    assert batch.expires_at is not None
    with writing(open_database(f"sqlite:///{tmp_path}/service.db")) as connection:
        connection.execute(FILES.update().values(expires_at=time.time() - 1))
    assert openai.files.list().data == []
    with pytest.raises(NotFoundError):
        openai.files.content(made.id)
    service = kept(tmp_path)
    assert service.sweep() == 2
    assert on_disk(tmp_path, MARK) == []


def kept(folder: Path, index: Any = None, **limits: int) -> FileService:
    database = open_database(f"sqlite:///{folder}/service.db")
    chosen = FileLimits(**{"file_bytes": 10**6, "quota_bytes": 10**7, **limits})
    return FileService(SqlFiles(database), FileFolder(folder / "files"), chosen, index)


async def test_what_dies_on_its_way_in_leaves_nothing(tmp_path: Path) -> None:
    service = kept(tmp_path)
    incoming = FileFolder(tmp_path / "files").begin(f"file-{0:032x}")
    incoming.write(MARK)
    whole = FileFolder(tmp_path / "files").begin(f"file-{1:032x}")
    whole.write(MARK)
    whole.keep()
    service.sweep()
    assert len(list((tmp_path / "files").iterdir())) == 2  # both are still being written
    incoming._file.close()  # as the end of the process does
    whole._file.close()
    service.sweep()
    assert list((tmp_path / "files").iterdir()) == []


async def test_two_at_once_do_not_pass_the_quota_together(tmp_path: Path) -> None:
    service = kept(tmp_path, quota_bytes=100)
    async with service.receiving("ana") as one, service.receiving("ana") as other:
        await one.write(b"x" * 60)
        await other.write(b"x" * 60)
        await one.keep("a", "vision")
        with pytest.raises(FileQuotaReached):
            await other.keep("b", "vision")
    assert len(list((tmp_path / "files").iterdir())) == 1
    assert len((await service.list("ana", Page(), None)).rows) == 1


async def test_the_limit_counts_while_a_file_comes(tmp_path: Path) -> None:
    service = kept(tmp_path, file_bytes=100)
    async with service.receiving("ana") as receiving:
        await receiving.write(b"x" * 99)
        with pytest.raises(FileTooLarge):
            await receiving.write(b"xx")
    assert list((tmp_path / "files").iterdir()) == []


class Index:
    """An index that may be away."""

    def __init__(self) -> None:
        self.away, self.forgotten = True, []
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def forget(self, file_id: str, bearer: dict[str, str]) -> None:
        self.asked.set()
        await self.go.wait()
        if self.away:
            raise NotReady("away")
        self.forgotten.append((file_id, bearer))

    async def close(self) -> None:
        return None


async def test_what_was_indexed_is_deleted_there_first(tmp_path: Path) -> None:
    index = Index()
    service = kept(tmp_path, index)
    never, indexed = [await service.add("ana", b"x", n, "assistants") for n in ("a", "b")]
    await service.content("ana", never.id)
    await service.content("ana", indexed.id, for_index=True)
    await service.delete("ana", never.id, {})
    with pytest.raises(NotReady):
        await service.delete("ana", indexed.id, {})
    assert (await service.get("ana", indexed.id)).id == indexed.id
    index.away = False
    await service.delete("ana", indexed.id, {"Authorization": "Bearer x"})
    assert index.forgotten == [(indexed.id, {"Authorization": "Bearer x"})]


async def test_what_is_no_longer_found_is_deleted_though_the_caller_waits_no_more(tmp_path: Path) -> None:
    index = Index()
    index.away = False
    index.go.clear()
    service = kept(tmp_path, index)
    file = await service.add("ana", b"x", "a", "assistants")
    await service.content("ana", file.id, for_index=True)
    deleting = asyncio.create_task(service.delete("ana", file.id, {}))
    await index.asked.wait()
    deleting.cancel()
    await asyncio.sleep(0)
    index.go.set()
    with pytest.raises(asyncio.CancelledError):
        await deleting
    assert (await service.list("ana", Page(), None)).rows == () and len(index.forgotten) == 1


def test_the_client_s_own_check_of_a_missing_purpose(client: TestClient) -> None:
    with pytest.raises(BadRequestError, match="purpose"):
        official(client).files.create(file=("a", b"x"), purpose="other")  # type: ignore[arg-type]
