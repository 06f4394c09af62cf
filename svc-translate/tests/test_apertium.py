"""Apertium as an engine: the chain of modes everywhere, the real program where it is installed."""

import asyncio
import shutil
import time
from pathlib import Path

import psutil
import pytest
import uvloop

from servicekit.errors import DeadlineExceeded, TooBusy, UpstreamFailed
from svc_translate.engine.apertium import MODEL_ID, ApertiumEngine, chains, installed_modes
from svc_translate.engine.base import Pair

EN_PT, PT_EN = Pair("en", "pt"), Pair("pt", "en")
MODES = frozenset({"eng-spa", "spa-eng", "es-pt", "es-pt_BR", "pt-es"})
there = pytest.mark.skipif(
    shutil.which("apertium") is None or EN_PT not in chains(installed_modes()),
    reason="Apertium is not installed",
)


def program(folder: Path, text: str) -> str:
    """Write a shell script that stands in for Apertium."""
    file = folder / "apertium"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return str(file)


def test_portuguese_goes_through_spanish_and_is_brazilian_where_it_can_be() -> None:
    assert chains(MODES)[EN_PT] == ("eng-spa", "es-pt_BR")
    assert chains(MODES)[PT_EN] == ("pt-es", "spa-eng")
    assert chains(MODES - {"es-pt_BR"})[EN_PT] == ("eng-spa", "es-pt")


def test_a_pair_whose_leg_is_missing_is_not_offered() -> None:
    assert EN_PT not in chains(frozenset({"eng-spa"}))
    assert ApertiumEngine(binary="apertium", modes=frozenset()).models == ()


async def test_sentences_come_back_apart_and_in_order(tmp_path: Path) -> None:
    engine = ApertiumEngine(binary=program(tmp_path, "tr a-z A-Z"), modes=MODES)
    made = await engine.translate(MODEL_ID, EN_PT, ["one dog.", "two cats!"])
    assert made.sentences == ("ONE DOG.", "TWO CATS!")


async def test_a_lost_border_is_mended_by_asking_one_at_a_time(tmp_path: Path) -> None:
    engine = ApertiumEngine(binary=program(tmp_path, "tr -s '\\n'"), modes=MODES)
    made = await engine.translate(MODEL_ID, EN_PT, ["one", "two"])
    assert made.sentences == ("one", "two")


async def test_a_program_that_hangs_is_killed(tmp_path: Path) -> None:
    engine = ApertiumEngine(binary=program(tmp_path, "exec sleep 60"), modes=MODES, timeout_s=0.2)
    started = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await engine.translate(MODEL_ID, EN_PT, ["one"])
    assert time.monotonic() - started < 50
    assert engine.queue() == {"running": 0, "waiting": 0}


async def test_what_a_program_that_ended_left_running_is_killed_too(tmp_path: Path) -> None:
    left = tmp_path / "left"
    script = f"sleep 300 & echo $! > {left}.new; mv {left}.new {left}; exit 0"
    engine = ApertiumEngine(binary=program(tmp_path, script), modes=MODES, timeout_s=5)
    with pytest.raises(DeadlineExceeded):
        await engine.translate(MODEL_ID, Pair("en", "es"), ["hello"])
    pid, deadline = int(left.read_text()), time.monotonic() + 30
    while runs(pid):  # noqa: ASYNC110 - polls what the kernel does
        assert time.monotonic() < deadline, "it runs on"
        await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_program_that_fails_is_said_so(tmp_path: Path) -> None:
    engine = ApertiumEngine(binary=program(tmp_path, "cat >/dev/null; exit 3"), modes=MODES)
    with pytest.raises(UpstreamFailed, match="status 3"):
        await engine.translate(MODEL_ID, EN_PT, ["one"])


async def test_a_full_pool_refuses(tmp_path: Path) -> None:
    engine = ApertiumEngine(
        binary=program(tmp_path, "exec sleep 60"), modes=MODES, pool=1, queue_limit=0, timeout_s=50
    )
    first = asyncio.create_task(engine.translate(MODEL_ID, EN_PT, ["one"]))
    await asyncio.sleep(0)  # lets the task take its place
    assert engine.queue()["running"] == 1
    with pytest.raises(TooBusy):
        await engine.translate(MODEL_ID, EN_PT, ["two"])
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert engine.queue()["running"] == 0


@there
async def test_the_real_program_speaks_portuguese() -> None:
    made = await ApertiumEngine().translate(MODEL_ID, EN_PT, ["The house is big.", "I like Xyzzyworts."])
    assert made.sentences[0] == "A casa é grande."
    assert "*" not in made.sentences[1]


@there
async def test_the_real_program_speaks_english() -> None:
    made = await ApertiumEngine().translate(MODEL_ID, PT_EN, ["A casa é grande.", "um círculo vermelho"])
    assert made.sentences == ("The house is big.", "A red circle") or "red circle" in made.sentences[1]


@there
@pytest.mark.parametrize("odd", ["a [b] ^c$ d", "<b>bold</b>", "x\\y @ {z}", "50% & more"])
async def test_the_real_programs_own_signs_do_no_harm(odd: str) -> None:
    made = await ApertiumEngine().translate(MODEL_ID, EN_PT, [odd, "the house"])
    assert len(made.sentences) == 2
    assert "casa" in made.sentences[1].lower()


@there
def test_the_real_program_works_under_uvloop_too() -> None:
    async def ask() -> tuple[str, ...]:
        return (await ApertiumEngine().translate(MODEL_ID, EN_PT, ["The house is big."])).sentences

    assert uvloop.run(ask()) == ("A casa é grande.",)
