"""The networks of the public architectures by themselves, without HTTP."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from svc_vision.engine.base import Detection, Task, TextLine
from svc_vision.engine.conversing import Conversing
from svc_vision.engine.florence import Florence
from svc_vision.engine.folders import ModelFolder
from svc_vision.engine.networks import BlipCaptioner, Classifier, Detector
from svc_vision.engine.precision import bytes_per_number, choose_dtype
from svc_vision.engine.transformers_engine import TransformersEngine

from . import tiny

pytestmark = pytest.mark.model
PICTURES = [
    Image.new("RGB", size, colour)
    for size, colour in (((80, 60), "red"), ((30, 90), "blue"), ((9, 9), "tan"))
]


def stays() -> bool:
    return False


class Scripted(Florence):
    """Says what it is told to say, each word being as sure as its logit makes it."""

    script: list[tuple[str, float]]

    def _generate(self, task: Task, images: Sequence[Image.Image], **options: Any) -> Any:
        import torch

        words = self._processor.tokenizer
        ids = [words.convert_tokens_to_ids(word) for word, _ in self.script]
        (sureness,) = options["logits_processor"]
        for token, (_, share) in zip(ids, self.script, strict=True):
            scores = torch.zeros((len(images), len(words)))
            scores[:, token], scores[:, words.unk_token_id] = share, 1 - share
            sureness(None, scores.log())
        return torch.tensor([[words.eos_token_id, *ids]] * len(images))


@pytest.fixture(scope="module")
def florence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.made(tiny.florence, tmp_path_factory.mktemp("florence"))


@pytest.fixture(scope="module")
def smolvlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.made(tiny.idefics3, tmp_path_factory.mktemp("smolvlm"))


def test_florences_places_become_boxes_in_pixels_as_sure_as_its_words(florence: Path) -> None:
    network = Scripted(florence)
    box = [(f"<loc_{n}>", 0.9) for n in (0, 499, 999, 749)]
    network.script = [("<s>", 1.0), ("red", 0.5), ("car", 0.98), *box, ("sign", 0.8), *box, ("</s>", 1.0)]
    for found, image in zip(network.look("detection", PICTURES, [""] * 3, stays), PICTURES, strict=True):
        assert [item.label for item in found] == ["sign", "red car"], "the surest first"
        assert [round(item.score, 2) for item in found] == [0.8, 0.7]
        assert isinstance(found[0], Detection)
        expected = (0.0005 * image.width, 0.4995 * image.height, 0.9995 * image.width, 0.7495 * image.height)
        assert found[0].box == pytest.approx(expected)


def test_florences_writing_keeps_its_order(florence: Path) -> None:
    network = Scripted(florence)
    corners = [(f"<loc_{n}>", 0.9) for n in (100, 100, 300, 120, 300, 200, 100, 180)]
    network.script = [("sign", 0.5), *corners, ("a", 0.9), *corners]
    (lines,) = network.look("ocr", [Image.new("RGB", (1000, 1000))], [""], stays)
    assert [line.text for line in lines] == ["sign", "a"]
    assert lines[0] == TextLine("sign", (100.5, 100.5, 300.5, 200.5))


@pytest.mark.parametrize("task", ["caption", "detection", "ocr"])
def test_florence_says_the_same_alone_and_in_a_batch(florence: Path, task: Task) -> None:
    network = Florence(florence, max_tokens=8)
    together = network.look(task, PICTURES, [""] * 3, stays)
    alone = [network.look(task, [picture], [""], stays)[0] for picture in PICTURES]
    assert [_rounded(item) for item in together] == [_rounded(item) for item in alone]


def test_blip_says_the_same_alone_and_in_a_batch(tmp_path: Path) -> None:
    network = BlipCaptioner(tiny.made(tiny.blip, tmp_path), max_tokens=200)
    assert network.run(PICTURES)[1] == network.run(PICTURES[1:2])[0]


def test_more_tiles_let_a_question_see_a_picture_more_closely(smolvlm: Path) -> None:
    picture = Image.new("RGB", (200, 100))
    seen = []
    for tiles in (1, 2, 4):
        network = Conversing(smolvlm, tiles=tiles, answer_tokens=1)
        before = network._model.generate
        network._model.generate = lambda before=before, **given: (
            seen.append(given["pixel_values"].shape[1]), before(**given)
        )[1]  # fmt: skip
        network.look("question", [picture], ["what ?"], stays)
    assert seen == [1, 3, 9], "the whole; and 2 x 1 or 4 x 2 tiles of it"


def test_each_question_gets_its_own_answer(smolvlm: Path) -> None:
    network = Conversing(smolvlm, answer_tokens=6)
    questions = ["what is this ?", "is a car red ?", "sign"]
    together = network.look("question", PICTURES, questions, stays)
    alone = [network.look("question", [p], [q], stays)[0] for p, q in zip(PICTURES, questions, strict=True)]
    assert together == alone


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_sixteen_bits_are_taken_for_sixteen_bit_files_alone(
    smolvlm: Path, tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    model = AutoModelForImageTextToText.from_pretrained(smolvlm, local_files_only=True)
    # Longer by its header alone: a model of a real size has a thousandth of that.
    model.to(getattr(torch, dtype)).resize_token_embeddings(20_000)
    model.save_pretrained(tmp_path)
    for flags, computes in (("avx2 avx512_bf16", True), ("avx2", False)):
        (tmp_path / "cpuinfo").write_text(flags)
        monkeypatch.setattr("svc_vision.engine.precision._CPUINFO", tmp_path / "cpuinfo")
        chosen = choose_dtype("cpu", bytes_per_number(tmp_path))
        assert chosen == (torch.bfloat16 if computes and dtype == "bfloat16" else torch.float32)


@pytest.mark.parametrize(("make", "network"), [(tiny.vit, Classifier), (tiny.rt_detr, Detector)])
def test_a_sixteen_bit_file_of_a_network_that_runs_in_thirty_two_is_converted(
    make: Callable[[Path], None], network: Any, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    file = tiny.made(make, tmp_path) / "model.safetensors"
    weights = {name: weight.half() for name, weight in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})
    assert len(network(tmp_path).run(PICTURES)) == 3


@pytest.mark.parametrize("make", [tiny.florence, tiny.idefics3, tiny.blip])
def test_sixteen_bits_run(make: Callable[[Path], None], tmp_path: Path) -> None:
    import torch

    network: Any = {tiny.florence: Florence, tiny.idefics3: Conversing, tiny.blip: BlipCaptioner}[make]
    loaded = network(tiny.made(make, tmp_path), dtype=torch.bfloat16)
    assert all(type(text) is str for text in loaded.look("caption", PICTURES, [""] * 3, stays))


def test_writing_for_somebody_who_left_ends_early(smolvlm: Path) -> None:
    network = Conversing(smolvlm, answer_tokens=200)
    calls = []

    def left() -> bool:
        calls.append(1)
        return len(calls) >= 3

    network.look("question", PICTURES[:1], ["what ?"], left)
    assert len(calls) == 3


def test_a_client_that_leaves_frees_the_model_for_the_next(tmp_path: Path) -> None:
    started = threading.Event()

    class Slow:
        def look(
            self, task: Task, images: Sequence[Any], questions: Sequence[str], left: Callable[[], bool]
        ) -> list[str]:
            if questions == ["slow"]:
                started.set()
                until = time.monotonic() + 60
                while not left():
                    assert time.monotonic() < until, "nobody told that the client has left"
                    time.sleep(0.01)
            return list(questions)

    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    engine = TransformersEngine([ModelFolder("slow", "question", tmp_path)], lambda _: Slow())

    async def leave_and_ask() -> str:
        first = asyncio.create_task(engine.ask("slow", PICTURES[0], "slow"))
        await asyncio.to_thread(started.wait, 60)
        first.cancel()
        return (await engine.ask("slow", PICTURES[0], "next")).value

    try:
        assert asyncio.run(leave_and_ask()) == "next"
    finally:
        engine.close()


def _rounded(made: Any) -> Any:
    if isinstance(made, str):
        return made
    return [(getattr(item, "label", ""), [round(edge, 3) for edge in item.box]) for item in made]
