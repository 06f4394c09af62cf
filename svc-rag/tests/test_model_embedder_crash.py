"""A service killed while it moves documents to another embedder goes on where it was; searches work all along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servicekit.hub.fake_hub import FakeHub
from tests.random_embedders import bert, sentence_transformers

pytestmark = pytest.mark.model
PROGRAM = """
import sys, time
from pathlib import Path
from fastapi.testclient import TestClient
from servicekit.hub.fake_hub import install
from svc_rag.app import create_app
from svc_rag.domain import reindexing
from svc_rag.engine.fake import FakeChat
from svc_rag.engine.text_encoder import TextEncoder
from svc_rag.settings import Settings

folder, url, most = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
reindexing.BATCH, plain = 2, TextEncoder.embed

def embed(self, texts, role="plain"):
    if role == "passage":
        with (folder / "embedded").open("a") as out:
            out.write("x" * len(texts))
        if (folder / "embedded").stat().st_size > most:
            time.sleep(600)  # it is killed here, however long that takes
    return plain(self, texts, role)

TextEncoder.embed = embed
settings = Settings(
    data_dir=folder / "rag", auth="off", allowed_hosts=("testserver",), hf_endpoint=url, embedder="hashing", chunk_chars=40,
    chunk_overlap_chars=0,
)

def until(look):
    while not (seen := look()):
        time.sleep(0.02)
    return seen

with TestClient(create_app(settings, FakeChat())) as client:
    def job(name):
        seen = client.get(f"/v1/jobs/{name}").json()
        return seen if seen["status"] in ("completed", "failed", "cancelled") else None

    def found(text):
        hits = client.post("/v1/search", json={"query": text, "mode": "vector"}).json().get("hits")
        return hits[0]["text"] if hits else None

    until(lambda: client.get("/readyz").json()["status"] == "ready")
    if not client.get("/v1/documents").json()["data"]:
        words = "museum ships bread library bicycle friday morning seven padaria twelve".split()
        text = " ".join(f"The {word} keeps x of the {other}." for word, other in zip(words, reversed(words))) * 2
        taken = client.post("/v1/documents", files={"file": ("n.txt", text.encode())}).json()
        until(lambda: job(taken["id"]))
        install(client, "me/small")
        print(client.post("/v1/embedder", json={"model": "me/small"}).json()["id"], flush=True)
    state = client.get("/v1/embedder").json()
    print("old", state["model"], found("museum twelve"), flush=True)
    done = until(lambda: job(sys.argv[4]) if len(sys.argv) > 4 else None)
    state = client.get("/v1/embedder").json()
    print("new", done["status"], done["result"]["chunks"], state["model"], found("The museum keeps x of the twelve."), flush=True)
"""


def start(folder: Path, hub: FakeHub, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, str(folder), hub.url, *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def embedded(folder: Path) -> int:
    file = folder / "embedded"
    return file.stat().st_size if file.exists() else 0


def kill_after(process: subprocess.Popen[str], folder: Path, count: int) -> str:
    assert process.stdout is not None
    said = ""
    while not said.startswith("old") and "\nold" not in said:
        line = process.stdout.readline()
        assert line, said + process.communicate()[1]
        said += line
    deadline = time.monotonic() + 120
    while embedded(folder) < count and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    assert embedded(folder) >= count, process.communicate()[1]
    os.kill(process.pid, signal.SIGKILL)
    return said + process.communicate()[0]


def test_a_move_killed_twice_ends_with_every_passage_and_embeds_hardly_any_twice(tmp_path: Path) -> None:
    small = sentence_transformers(bert(tmp_path / "made"), pooling="mean_tokens")
    with FakeHub({"me/small": small}) as hub:
        out = kill_after(start(tmp_path, hub, "8"), tmp_path, 8)
        job_id = out.split()[0]
        assert "old hashing The museum keeps x of the twelve." in out
        seen = embedded(tmp_path)
        kill_after(start(tmp_path, hub, str(seen + 5), job_id), tmp_path, seen + 5)
        last, err = start(tmp_path, hub, "1000", job_id).communicate(timeout=400)
    assert "new completed 20 me/small The museum keeps x of the twelve." in last, last + err
    assert 20 <= embedded(tmp_path) <= 20 + 2 * 2, "at each kill one batch was on its way"
