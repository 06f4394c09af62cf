"""Marks in an answer that stand for passages and files, and the annotations that say which. Pure.

A model that marks what it used is believed where the number is that of a passage; where it marks nothing, the
passage whose words the answer repeats is marked behind it, if there is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from svc_chat.engine.threads import Body

SUPPORT_MIN = 0.6
"""Share of an answer's words that a passage must have to be named as its source."""
QUOTE_CHARS = 400
_MARK = re.compile(r"【(\d{1,3})(?::\d+)?(?:†[^】]{0,80})?】|\[(\d{1,3})\]")
_SENTENCE = re.compile(r"[^.!?\n]*[^.!?\s][^.!?\n]*(?:[.!?]+(?=\s|$)|\n|$)|[^.!?\n]+")
_WORD = re.compile(r"\w{3,}")
SANDBOX = "sandbox:/mnt/data/"


@dataclass(frozen=True)
class Source:
    """A passage that the model read, by the number in its mark, counted from 1 in each run."""

    number: int
    file_id: str
    text: str

    @property
    def mark(self) -> str:
        """What stands for it in a text."""
        return f"【{self.number}†source】"


def sources(steps: Sequence[Body]) -> list[Source]:
    """Return the passages that a run's searches found, in their order."""
    found: list[Source] = []
    for call in _calls(steps, "file_search"):
        for result in call["file_search"].get("results") or ():
            found.append(Source(len(found) + 1, result["file_id"], result["_text"]))
    return found


def made_files(steps: Sequence[Body]) -> dict[str, str]:
    """Return the ids of files that a run's code made, by their names there."""
    return {
        file["name"]: file["file_id"]
        for call in _calls(steps, "code_interpreter")
        for file in call.get("_files", ())
    }


def new_pictures(steps: Sequence[Body]) -> tuple[str, ...]:
    """Return the ids of pictures that code made since the run last began a message."""
    last = max((n for n, step in enumerate(steps) if step["type"] == "message_creation"), default=-1)
    return tuple(
        output["image"]["file_id"]
        for call in _calls(steps[last + 1 :], "code_interpreter")
        for output in call["code_interpreter"]["outputs"]
        if output["type"] == "image"
    )


def cited(text: str, found: Sequence[Source], files: Mapping[str, str]) -> tuple[str, list[dict[str, Any]]]:
    """Return what is added behind `text`, and the annotations of both together."""
    annotations = [*_marked(text, found), *_paths(text, files)]
    addition = ""
    if found and not any(a["type"] == "file_citation" for a in annotations):
        best = max(found, key=lambda source: support(text, source.text))
        if support(text, best.text) >= SUPPORT_MIN:
            space = "" if text[-1:].isspace() or not text else " "
            addition = f"{space}{best.mark}"
            start = len(text) + len(space)
            annotations.append(_citation(best, text, best.mark, start))
    return addition, sorted(annotations, key=lambda a: a["start_index"])


def support(answer: str, passage: str) -> float:
    """Return which share of the answer's words the passage has."""
    wanted = _words(_MARK.sub(" ", answer))
    return len(wanted & _words(passage)) / len(wanted) if wanted else 0.0


def quote(said: str, passage: str) -> str:
    """Return the sentence of `passage` that has most of the words of `said`: a span of it, unchanged."""
    sentences = [match.group().strip() for match in _SENTENCE.finditer(passage)]
    wanted = _words(said)

    def shared(sentence: str) -> float:
        words = _words(sentence)
        return len(words & wanted) / (len(words) + 3)  # a sentence of one word is no quote

    best = max(filter(None, sentences), key=shared, default=passage.strip())
    return best[:QUOTE_CHARS]


def window(said: str, passage: str, chars: int) -> str:
    """Return the part of `passage` around the sentence that has most of the words of `said`: whole sentences."""
    spans = [match.span() for match in _SENTENCE.finditer(passage)]
    best = quote(said, passage)
    first = last = next((n for n, (start, end) in enumerate(spans) if best in passage[start:end]), 0)
    grown = bool(spans)
    while grown:
        grown = False
        for low, high in ((first, last + 1), (first - 1, last)):
            if low >= 0 and high < len(spans) and spans[high][1] - spans[low][0] <= chars:
                first, last, grown = low, high, True
                break
    return passage[spans[first][0] : spans[last][1]].strip()[:chars] if spans else passage[:chars]


def _marked(text: str, found: Sequence[Source]) -> Iterator[dict[str, Any]]:
    by_number = {source.number: source for source in found}
    said_from = 0
    for match in _MARK.finditer(text):
        source = by_number.get(int(match[1] or match[2]))
        if source is not None:
            said = text[said_from : match.start()] or text
            yield _citation(source, said, match.group(), match.start())
            said_from = match.end()


def _citation(source: Source, said: str, mark: str, start: int) -> dict[str, Any]:
    return {
        "type": "file_citation",
        "text": mark,
        "start_index": start,
        "end_index": start + len(mark),
        "file_citation": {"file_id": source.file_id, "quote": quote(said, source.text)},
    }


def _paths(text: str, files: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for name, file_id in files.items():
        path = SANDBOX + name
        for match in re.finditer(re.escape(path), text):
            yield {
                "type": "file_path",
                "text": path,
                "start_index": match.start(),
                "end_index": match.end(),
                "file_path": {"file_id": file_id},
            }


def _calls(steps: Sequence[Body], kind: str) -> Iterator[Body]:
    for step in steps:
        if step["type"] == "tool_calls":
            yield from (call for call in step["step_details"]["tool_calls"] if call["type"] == kind)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
