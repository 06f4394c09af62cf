"""The parts of the chat benchmark that reckon: events, medians, bars, the table, the vocabulary."""

from __future__ import annotations

import json
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench import processes
from tests.bench.chat import prompts, vocabulary
from tests.bench.chat.__main__ import ROWS
from tests.bench.chat.stream import Answer, EventSplitter, Recording, check_complete
from tests.bench.report import Bar, Finding, median, table
from tests.bench.rows import chosen_rows, in_turn


def _event(text: str, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


@given(st.lists(st.integers(1, 40)), st.sampled_from([b"\n", b"\r\n"]))
def test_events_are_the_same_however_they_are_cut(cuts: list[int], ending: bytes) -> None:
    stream = ending.join(
        [b": ping", b"", b'data: {"a": 1}', b"", b"event: x", b"data:two", b"", b"data: [DONE]", b""]
    )
    splitter, found, at = EventSplitter(), [], 0
    for length in [*cuts, len(stream)]:
        found += splitter.feed(stream[at : at + length])
        at += length
    assert found == [b'{"a": 1}', b"two", b"[DONE]"]


def test_the_first_token_is_the_first_text_not_the_role() -> None:
    recording = Recording()
    recording.add(0.1, b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n')
    recording.add(0.5, _event(" a"))
    recording.add(0.6, _event(" b"))
    recording.add(0.9, _event(" c") + _event("", "length") + b"data: [DONE]\n\n")
    answer = recording.answer()
    assert (answer.first_s, answer.last_s, answer.text) == (0.5, 0.9, " a b c")
    assert answer.longest_gap_s() == pytest.approx(0.3)
    assert answer.longest_gap_s(after_s=0.9) == 0
    check_complete([answer])


def test_an_answer_that_ends_early_is_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="stop"):
        check_complete([Answer(((0.1, "a"),), "length"), Answer(((0.1, "a"),), "stop")])


def test_an_error_within_a_stream_is_told() -> None:
    recording = Recording()
    recording.add(0.1, b'data: {"error": {"message": "no room"}}\n\n')
    with pytest.raises(RuntimeError, match="no room"):
        recording.answer()


@pytest.mark.parametrize(
    ("finding", "passed"),
    [
        (Finding("r", 300, "tokens/s", "peer", 100, Bar(3)), True),
        (Finding("r", 299, "tokens/s", "peer", 100, Bar(3)), False),
        (Finding("r", 111, "ms", "peer", 100, Bar(1.1, "at most")), False),
        (Finding("r", 150, "ms", bar=Bar(200, "at most", "ms")), True),
        (Finding("r", 201, "ms", bar=Bar(200, "at most", "ms")), False),
        (Finding("r", 1, "ms", "peer", 100), None),
    ],
)
def test_a_bar_is_about_the_ratio_or_else_the_figure(finding: Finding, passed: bool | None) -> None:
    assert finding.passed is passed


def test_the_table_says_figures_ratio_bar_and_verdict() -> None:
    lines = table(
        [
            Finding("8 at once", 312.4, "tokens/s", "peer", 81.26, Bar(4)),
            Finding("freed", 4.5, "ms", bar=Bar(200, "at most", "ms"), note="all went on"),
        ]
    ).splitlines()
    assert lines[2] == "| 8 at once | 312 tokens/s | peer | 81.3 tokens/s | 3.84 × | ≥ 4 × | **FAIL** |"
    assert lines[3] == "| freed | 4.50 ms | – | – | – | ≤ 200 ms | pass · all went on |"


def test_nothing_has_no_median() -> None:
    assert median([3.0, 1.0, 2.0]) == 2.0
    with pytest.raises(ValueError, match="no measurement"):
        median([])


def test_each_contender_is_first_in_its_turn() -> None:
    orders = ["".join(in_turn("abc", number)) for number in range(3)]
    assert orders == ["abc", "bca", "cab"]


def test_a_row_is_chosen_by_its_name_or_the_beginning_of_several() -> None:
    assert list(chosen_rows(ROWS, [])) == list(ROWS)
    assert list(chosen_rows(ROWS, ["tokens-1"])) == ["tokens-1"]
    assert list(chosen_rows(ROWS, ["leaves", "tokens"])) == [
        "leaves",
        "tokens-1",
        "tokens-4",
        "tokens-8",
        "tokens-16",
    ]
    with pytest.raises(SystemExit, match="no row begins with 'speed'"):
        chosen_rows(ROWS, ["speed"])


def test_the_vocabulary_is_as_large_as_the_real_one_and_can_be_built_by_its_merges() -> None:
    made = vocabulary.vocabulary()
    assert len(made.tokens) == len(made.types) == len(set(made.tokens)) == vocabulary.SIZE
    known = set(made.tokens[:256])
    for merge in made.merges:
        left, right = merge.split(" ")
        assert left in known and right in known
        known.add(left + right)
    assert known == set(made.tokens[: vocabulary.BASE_SIZE])
    assert all(
        token.startswith(vocabulary.SPACE) for token in made.tokens[made.spoken_from : vocabulary.BASE_SIZE]
    )


def test_words_are_single_tokens_and_repeatable() -> None:
    text = prompts.words(50, "a", 1)
    tokens = set(vocabulary.vocabulary().tokens)
    assert len(text.split()) == 50
    assert {vocabulary.SPACE + word for word in text.split()} <= tokens
    assert text == prompts.words(50, "a", 1) != prompts.words(50, "a", 2)


def test_what_was_started_is_ended_with_its_children(tmp_path) -> None:  # type: ignore[no-untyped-def]
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    with processes.Processes(tmp_path) as started:
        process = started.start("sleeper", [sys.executable, "-c", code], {}, pipes=True)
        assert process.stdout is not None
        child = int(process.stdout.readline())
    assert process.poll() is not None
    deadline = time.monotonic() + 20
    while (
        _runs(child) and time.monotonic() < deadline
    ):  # it was told to end, and ends when it gets the processor
        time.sleep(0.01)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
