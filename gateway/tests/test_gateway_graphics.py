"""How busy the graphics card is, with programs that answer as NVIDIA's does, or do not."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from gateway.engine.graphics import GraphicsCard

from .conftest import serve_gateway


def program(folder: Path, script: str) -> str:
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def sleeping() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "600" in child.cmdline()]


@pytest.mark.parametrize(("said", "told"), [("37", 37.0), ("3\\n91", 91.0), ("[N/A]\\n12", 12.0)])
async def test_the_busiest_card_is_told(tmp_path: Path, said: str, told: float) -> None:
    assert await GraphicsCard(program(tmp_path, f"printf '{said}\\n'"), wait_s=30).usage() == told


async def test_it_is_asked_no_oftener_than_it_may_change(tmp_path: Path) -> None:
    counted = tmp_path / "asked"
    card = GraphicsCard(program(tmp_path, f"echo x >> {counted}; echo 5"), fresh_s=3600, wait_s=30)
    assert await card.usage() == 5.0
    for _ in range(5):
        await card.usage()
    assert counted.read_text(encoding="utf-8").splitlines() == ["x"]


@pytest.mark.parametrize("script", ["exit 9", "echo nothing", "printf '\\377'"])
async def test_no_card_is_told_where_none_answers(tmp_path: Path, script: str) -> None:
    card = GraphicsCard(program(tmp_path, script), wait_s=30)
    assert await card.usage() is None


async def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    card = GraphicsCard(program(tmp_path, "exec sleep 600"), wait_s=30, most_s=0.5)
    assert await card.usage() is None
    assert sleeping() == []


async def test_nobody_waits_for_a_program_that_hangs(tmp_path: Path) -> None:
    card = GraphicsCard(program(tmp_path, "exec sleep 600"), wait_s=0.01, most_s=600)
    assert await card.usage() is None
    await card.stop()
    assert sleeping() == []


async def test_a_machine_without_the_program_asks_nothing() -> None:
    assert await GraphicsCard("no-such-program-here").usage() is None


async def test_status_tells_how_busy_the_card_is(fake, tmp_path, monkeypatch) -> None:
    program(tmp_path, "echo 64")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    async with serve_gateway(fake, tmp_path) as gateway:
        by, told = time.monotonic() + 30, None
        while told is None and time.monotonic() < by:
            async with gateway.get("/api/status") as answer:
                told = (await answer.json())["system_info"]["gpu_usage"]
    assert told == 64.0
