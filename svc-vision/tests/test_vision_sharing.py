"""Pictures for several models that come together: one model's trouble is not another's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from servicekit.errors import ModelNotFound, NotReady
from svc_vision.engine.base import Task
from svc_vision.engine.folders import ModelFolder
from svc_vision.engine.transformers_engine import TransformersEngine

PICTURE = Image.new("RGB", (8, 8))


class Echo:
    """Says how many pictures it saw."""

    def look(
        self, task: Task, images: Sequence[Image.Image], questions: Sequence[str], left: Callable[[], bool]
    ) -> list[Any]:
        return [f"{len(images)} seen"] * len(images)


def load(folder: ModelFolder) -> Echo:
    if folder.id == "large":
        raise NotReady("There is no memory for 'large'.")
    return Echo()


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    for name in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    return ModelFolder("small", "caption", tmp_path)


async def test_a_model_that_cannot_be_loaded_fails_its_own_pictures_only(folder: ModelFolder) -> None:
    engine = TransformersEngine([folder, replace(folder, id="large")], load, window_s=1.5)
    asked = (engine.caption(name, PICTURE) for name in ("small", "large", "small"))
    first, second, third = await asyncio.gather(*asked, return_exceptions=True)
    engine.close()
    assert not isinstance(first, BaseException) and not isinstance(third, BaseException)
    assert first.value == third.value == "2 seen"
    assert isinstance(second, NotReady)


def test_a_model_that_leaves_gives_the_graphics_card_back(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    given_back: list[str] = []
    for device in ("cpu", "cuda"):
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda device=device: given_back.append(device))
        engine = TransformersEngine([folder], load, device=device)
        engine.slots["small"].load()
        engine.slots["small"].unload()
        engine.close()
    assert given_back == ["cuda"]


async def test_a_picture_whose_model_was_removed_meanwhile_hears_so(folder: ModelFolder) -> None:
    engine = TransformersEngine([folder], load, window_s=1.5)
    waiting = asyncio.ensure_future(engine.caption("small", PICTURE))
    await asyncio.sleep(0)
    engine.discard("small")
    with pytest.raises(ModelNotFound, match="removed"):
        await waiting
    engine.close()
