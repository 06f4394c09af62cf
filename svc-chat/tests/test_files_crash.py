"""A real service that is killed while a file comes in, and what it takes in memory meanwhile."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.ports import free_port

PROGRAM = """
import sys
from servicekit.serve import serve
from svc_chat.app import create_app
from svc_chat.engine.fake import FakeEngine
from svc_chat.settings import Settings

settings = Settings(data_dir=sys.argv[1], port=int(sys.argv[2]), auth="off", vision_url="", rag_url="")
serve(create_app(settings, FakeEngine()), settings)
"""
HEAD = (
    b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nuser_data\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'
)
END = b"\r\n--b--\r\n"
BLOCK = b"segredo do dia!!" * 4096


class Service:
    """A service in a process of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> psutil.Process:
        """Start it and wait until it answers."""
        command = [sys.executable, "-c", PROGRAM, str(self.folder), str(self.port)]
        with (self.folder.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/healthz").status_code == 200:
                    return psutil.Process(self.process.pid)
            assert self.process.poll() is None, (self.folder.parent / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def kill(self) -> None:
        """End it without warning."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def begin_upload(self, blocks: int) -> http.client.HTTPConnection:
        """Send the head of an upload of `blocks` blocks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest("POST", "/v1/files")
        connection.putheader("content-type", "multipart/form-data; boundary=b")
        connection.putheader("content-length", str(len(HEAD) + blocks * len(BLOCK) + len(END)))
        connection.endheaders()
        connection.send(HEAD)
        return connection


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    folder = tmp_path / "data"
    folder.mkdir()
    made = Service(folder)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def files_in(folder: Path) -> list[Path]:
    return list((folder / "files").iterdir())


def test_a_kill_during_an_upload_leaves_nothing(service: Service) -> None:
    service.start()
    connection = service.begin_upload(400)
    for _ in range(40):
        connection.send(BLOCK)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > len(BLOCK) for path in files_in(service.folder)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    service.kill()
    connection.close()
    service.start()
    assert files_in(service.folder) == []
    assert httpx.get(f"{service.url}/v1/files", timeout=60).json()["data"] == []


def test_a_caller_who_leaves_during_an_upload_leaves_nothing(service: Service) -> None:
    service.start()
    connection = service.begin_upload(400)
    connection.send(BLOCK * 10)
    connection.close()
    deadline = time.monotonic() + 60
    while files_in(service.folder):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_large_file_is_never_whole_in_memory(service: Service) -> None:
    process = service.start()
    httpx.post(
        f"{service.url}/v1/files", data={"purpose": "vision"}, files={"file": ("a", b"x")}, timeout=60
    ).raise_for_status()
    before = process.memory_info().rss
    blocks = 1600  # 100 MiB
    connection = service.begin_upload(blocks)
    most = 0
    for number in range(blocks):
        connection.send(BLOCK)
        if number % 100 == 0:
            most = max(most, process.memory_info().rss)
    connection.send(END)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    assert most - before < 40 * 2**20
    files = httpx.get(f"{service.url}/v1/files", timeout=60).json()["data"]
    assert [file["bytes"] for file in files] == [blocks * len(BLOCK), 1]
    with httpx.stream("GET", f"{service.url}/v1/files/{files[0]['id']}/content", timeout=60) as sent:
        assert sum(map(len, sent.iter_bytes())) == blocks * len(BLOCK)
    assert process.memory_info().rss - before < 40 * 2**20
