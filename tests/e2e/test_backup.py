"""A backup of the stack in use, put into an empty folder, is a stack with the same users, keys and records."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import httpx
import pytest

from deploy import services
from deploy.backup import archive, contents
from deploy.layout import ROOT, Layout
from tests.conftest import Stack
from tests.e2e.conftest import finished_job, until

pytestmark = pytest.mark.e2e
STARTED_WITHIN_S = 150.0
TEXT = "The red lathe in hall four is serviced every ninth of March."
PICTURE = {"prompt": "a red circle on a blue background", "size": "128x128", "steps": 4}


class Load(threading.Thread):
    """Writes through the gateway until it is stopped: answers, documents (some deleted again), pictures."""

    def __init__(self, stack: Stack):
        super().__init__(daemon=True)
        self._stack, self._stopping = stack, threading.Event()
        self.answers: dict[str, str] = {}
        self.documents: list[str] = []
        self.files: list[str] = []
        self.pictures: list[str] = []
        self.failed: BaseException | None = None

    def run(self) -> None:
        try:
            with self._stack.client() as client:
                while not self._stopping.is_set():
                    self._round(client)
        except BaseException as error:
            self.failed = error

    def _round(self, client: httpx.Client) -> None:
        said = client.post("/v1/responses", json={"input": "Olá!", "max_output_tokens": 24})
        said.raise_for_status()
        kept = said.json()
        self.answers[kept["id"]] = kept["output"][0]["content"][0]["text"]
        ids = []
        for number in range(3):
            name = f"{number}.txt"
            taken = client.post("/v1/documents", files={"file": (name, TEXT.encode())})
            taken.raise_for_status()
            ids.append(taken.json()["document_id"])
        client.delete(f"/v1/documents/{ids[0]}").raise_for_status()
        self.documents += ids[1:]
        files = []
        for number in range(2):
            sent = {"file": (f"{number}.txt", TEXT.encode() * 100)}
            taken = client.post("/v1/files", data={"purpose": "assistants"}, files=sent)
            taken.raise_for_status()
            files.append(taken.json()["id"])
        client.delete(f"/v1/files/{files[0]}").raise_for_status()
        self.files.append(files[1])
        drawn = client.post("/v1/images/generations", json=PICTURE, headers={"Prefer": "respond-async"})
        if drawn.status_code != 429:
            drawn.raise_for_status()
            done = finished_job(client, drawn.json()["id"])
            assert done["status"] == "completed"
            self.pictures += [picture["id"] for picture in done["result"]["pictures"]]

    @property
    def rounds(self) -> int:
        return len(self.pictures)

    def stop(self) -> None:
        """Stop, and raise what went wrong."""
        self._stopping.set()
        self.join(timeout=120)
        if self.failed is not None:
            raise self.failed


def run(data_dir: Path, *command: str) -> None:
    """Run one command of the runner on a data folder."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.run", "--data-dir", str(data_dir), *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def rows(file: Path, query: str) -> list[tuple]:
    """Return what a query finds in an SQLite file."""
    with closing(sqlite3.connect(file)) as db:
        return db.execute(query).fetchall()


@contextmanager
def processes(data_dir: Path, port_offset: int, *names: str) -> Iterator[dict[str, str]]:
    """Start some services of a data folder on ports of their own; give their URLs once they answer."""
    layout = Layout(ROOT, data_dir, port_offset, {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0"})
    chosen = [service for service in services.ALL if service.name in names]
    with ExitStack() as stack:
        for service in chosen:
            env = {**layout.env, **services.environment(service, layout)}
            command = [sys.executable, "-m", service.module]
            with (data_dir / f"{service.name}.out").open("w") as out:
                process = subprocess.Popen(command, env=env, stdout=out, stderr=out)
            stack.callback(process.wait, timeout=120)
            stack.callback(process.terminate)
        for service in chosen:
            url = f"{service.url(layout)}/healthz"
            until(lambda url=url: httpx.get(url).status_code == 200, STARTED_WITHIN_S)  # type: ignore[misc]
        yield {service.name: service.url(layout) for service in chosen}


@pytest.fixture(scope="module")
def restored(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Load, archive.Manifest]:
    """Back up under load and put it back; give the folder, what was acknowledged before, and the manifest."""
    if stack.data_dir is None:
        pytest.skip("the stack was started by somebody else: its data folder is not known")
    folder, load = tmp_path_factory.mktemp("backup"), Load(stack)
    file, data = folder / "backup.tar.gz", folder / "data"
    load.start()
    try:
        until(lambda: load.rounds >= 2 or load.failed is not None, STARTED_WITHIN_S)
        before = Load(stack)
        before.answers, before.documents = dict(load.answers), list(load.documents)
        before.files, before.pictures = list(load.files), list(load.pictures)
        run(stack.data_dir, "backup", str(file))
    finally:
        load.stop()
    run(data, "restore", str(file))
    with file.open("rb") as stream:
        return data, before, archive.read(stream, lambda _: None)


def test_every_checksum_is_the_one_of_the_manifest(restored: tuple[Path, Load, archive.Manifest]) -> None:
    data, _, manifest = restored
    files = [(f"{name}/{file.relative_to(data / name).as_posix()}", file)
             for name in contents.present(data) for file in contents.files(data / name)]  # fmt: skip
    found = archive.checksums(files, lambda _: None)
    assert found == {name: value for name, value in manifest.files.items() if name != "settings/env"}


def test_no_record_points_to_a_missing_file(restored: tuple[Path, Load, archive.Manifest]) -> None:
    data, before, _ = restored
    assert contents.records_without_file(data / "svc-rag") == []
    assert contents.records_without_file(data / "svc-chat") == []
    done = rows(data / "svc-image-gen" / "service.db", "SELECT result FROM jobs WHERE status = 'completed'")
    recorded = {picture["id"] for (result,) in done for picture in json.loads(result)["pictures"]}
    assert len(before.pictures) >= 2
    assert set(before.pictures) <= recorded
    # others may have been deleted since: the record of a job outlives its picture
    for picture in before.pictures:
        assert (data / "svc-image-gen" / "media" / f"{picture}.png").stat().st_size > 0
        assert (data / "svc-image-gen" / "media" / f"{picture}.meta.json").is_file()


def test_login_key_answers_and_documents_of_the_old_stack_are_there(
    stack: Stack, restored: tuple[Path, Load, archive.Manifest]
) -> None:
    data, before, _ = restored
    with processes(data, stack.port_offset + 500, "gateway", "svc-chat", "svc-rag") as urls:
        account = {"username": stack.username, "password": stack.password}
        assert httpx.post(f"{urls['gateway']}/auth/login", json=account, timeout=60).status_code == 200
        headers = {"Authorization": f"Bearer {stack.api_key}"}
        with httpx.Client(base_url=urls["gateway"], headers=headers, timeout=60) as client:
            for answer_id, text in before.answers.items():
                kept = client.get(f"/v1/responses/{answer_id}")
                assert kept.status_code == 200, kept.text
                assert kept.json()["output"][0]["content"][0]["text"] == text
            for file_id in before.files:
                assert client.get(f"/v1/files/{file_id}/content").content == TEXT.encode() * 100
            listed = {document["id"] for document in client.get("/v1/documents").json()["data"]}
            assert set(before.documents) <= listed

            def all_ready() -> bool:
                found = client.get("/v1/documents").json()["data"]
                return all(document["status"] == "ready" for document in found)

            until(all_ready, STARTED_WITHIN_S)
            hits = client.post("/v1/search", json={"query": "red lathe"}).json()["hits"]
            assert hits and hits[0]["document_id"] in listed
