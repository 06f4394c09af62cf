"""A stranger's file is first opened in a child process: whatever that does, the service lives and says why."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from svc_chat.engine.probe import every_byte
from svc_chat.engine.prober import Outcome, Prober
from svc_chat.errors import ModelBroken

WriteModel = Callable[..., Path]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, write_model: WriteModel) -> Path:
    return write_model(tmp_path_factory.mktemp("probe") / "good.gguf")


class Child:
    """Stands for the child: ends as told, notes how it was called."""

    def __init__(self, returncode: int = 0, stdout: str = '{"problem": null}'):
        self.outcome: Outcome = SimpleNamespace(returncode=returncode, stdout=stdout)
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str], seconds: float) -> Outcome:
        self.commands.append(command)
        return self.outcome


def refusal(prober: Prober, path: Path, adapter: Path | None = None) -> str:
    with pytest.raises(ModelBroken) as caught:
        prober.check(path, adapter)
    assert str(path.parent) not in caught.value.message
    return caught.value.message


def test_a_good_file_is_tried_once_and_remembered_over_restarts(tmp_path: Path, good: Path) -> None:
    child = Child()
    Prober(tmp_path / "tried.json", run=child).check(good)
    Prober(tmp_path / "tried.json", run=child).check(good)
    assert len(child.commands) == 1


def test_on_a_full_disk_a_good_file_is_good_and_the_memory_is_whole(
    tmp_path: Path, good: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "tried.json"
    store.write_text('{"good": ["other"]}')

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    Prober(store, run=Child()).check(good)
    assert store.read_text() == '{"good": ["other"]}'
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".tried")]


def test_a_changed_file_is_tried_again(tmp_path: Path, write_model: WriteModel) -> None:
    path = write_model(tmp_path / "changing.gguf")
    child = Child()
    prober = Prober(tmp_path / "tried.json", run=child)
    prober.check(path)
    os.utime(path, ns=(1, 1))
    prober.check(path)
    assert len(child.commands) == 2


def test_the_file_that_comes_with_the_program_is_not_tried(tmp_path: Path, good: Path) -> None:
    child = Child()
    Prober(tmp_path / "tried.json", trusted=frozenset({good}), run=child).check(good)
    assert not child.commands


def test_a_broken_memory_of_good_files_is_forgotten(tmp_path: Path, good: Path) -> None:
    store = tmp_path / "tried.json"
    store.write_text("[1, {")
    Prober(store, run=Child()).check(good)
    assert len(json.loads(store.read_text())["good"]) == 1


@pytest.mark.parametrize(
    ("child", "said"),
    [
        (Child(-signal.SIGSEGV), r"crashed llama.cpp \(SIGSEGV\)"),
        (Child(-signal.SIGABRT), r"crashed llama.cpp \(SIGABRT\)"),
        (Child(-signal.SIGKILL), "want of memory"),
        (Child(-signal.SIGXCPU), "did not come to an end"),
        (Child(1, '{"problem": "it is odd."}'), "it is odd. Download"),
        (Child(0, "nonsense"), "without an answer"),
        (Child(0, "[]"), "without an answer"),
    ],
)
def test_a_bad_end_of_the_child_is_told_and_not_remembered(
    tmp_path: Path, good: Path, child: Child, said: str
) -> None:
    prober = Prober(tmp_path / "tried.json", run=child)
    with pytest.raises(ModelBroken, match=said):
        prober.check(good)
    refusal(prober, good)
    assert len(child.commands) == 2


def test_a_child_that_hangs_is_ended(tmp_path: Path, good: Path) -> None:
    def hang(command: Sequence[str], seconds: float) -> Outcome:
        return subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"], timeout=seconds)  # type: ignore[return-value]

    started = time.monotonic()
    assert "did not end within" in refusal(Prober(tmp_path / "t.json", timeout_s=0.2, run=hang), good)
    assert time.monotonic() - started < 50


def test_a_file_refused_by_its_header_never_reaches_llama_cpp(tmp_path: Path) -> None:
    path = tmp_path / "noise.gguf"
    path.write_bytes(b"GGUF" + b"\xff" * 100)
    child = Child()
    refusal(Prober(tmp_path / "tried.json", run=child), path)
    assert not child.commands


def test_the_trial_reads_every_byte_that_a_text_can_have() -> None:
    missing = set(range(256)) - set(every_byte().encode())
    assert missing == {0, 0xC0, 0xC1, *range(0xF5, 0x100)}


@pytest.mark.model
def test_a_real_child_opens_a_good_file(tmp_path: Path, good: Path) -> None:
    Prober(tmp_path / "tried.json").check(good)


@pytest.mark.model
def test_a_file_whose_tensors_are_wrong_is_refused_by_a_real_child(
    tmp_path: Path, write_model: WriteModel
) -> None:
    path = write_model(tmp_path / "renamed.gguf")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"blk.1.ffn_down.weight", b"blk.1.ffn_diwn.weight"))
    assert "not loaded" in refusal(Prober(tmp_path / "tried.json"), path)


@pytest.mark.model
@pytest.mark.parametrize(("byte", "instead"), [(b"<", b"4"), ("\u00f4".encode(), "\u00f3".encode())])
def test_a_vocabulary_that_lacks_a_byte_ends_the_child_and_not_the_service(
    tmp_path: Path, write_model: WriteModel, byte: bytes, instead: bytes
) -> None:
    path = write_model(tmp_path / "lacking.gguf")
    token = len(byte).to_bytes(8, "little")
    path.write_bytes(path.read_bytes().replace(token + byte, token + instead))
    assert "crashed llama.cpp (SIGABRT)" in refusal(Prober(tmp_path / "tried.json"), path)


@pytest.mark.model
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, write_model: WriteModel) -> None:
    path = write_model(tmp_path / "nan.gguf")
    content = bytearray(path.read_bytes())
    content[-4096:] = b"\xff" * 4096
    path.write_bytes(content)
    assert "not numbers" in refusal(Prober(tmp_path / "tried.json"), path)


@pytest.mark.model
@pytest.mark.parametrize(
    "template", ["{% for i in range(99999) %}{% for j in range(99999) %}{{ j }}{% endfor %}{% endfor %}"]
)
def test_an_endless_chat_template_is_refused_in_time(
    tmp_path: Path, write_model: WriteModel, template: str
) -> None:
    path = write_model(tmp_path / "endless.gguf", template=template)
    started = time.monotonic()
    refusal(Prober(tmp_path / "tried.json", timeout_s=5), path)
    assert time.monotonic() - started < 200, "rendering it takes hours"


@pytest.mark.model
def test_the_child_has_no_secrets_and_little_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWNER_API_KEY", "secret")
    code = (
        "import json, os, resource; from svc_chat.engine.probe import confine; confine(4 << 30, 20);"
        "print(json.dumps([dict(os.environ), resource.getrlimit(resource.RLIMIT_AS)[0],"
        " resource.getrlimit(resource.RLIMIT_FSIZE)[0], os.nice(0)]))"
    )
    run = Prober(tmp_path / "tried.json", environment={"LD_LIBRARY_PATH": "/x"})._run
    environment, room, files, niceness = json.loads(run([sys.executable, "-c", code], 300).stdout)
    assert "secret" not in environment.values() and environment["LD_LIBRARY_PATH"] == "/x"
    assert (room, files) == (4 << 30, 0) and niceness >= 2
