"""Reads training data in the forms that people have: OpenAI's JSON lines, pairs of questions and answers, plain text.

Every line is checked before anything starts; an error names the line. Knows nothing about jobs or tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from svc_chat.engine.base import Message
from svc_chat.engine.tuning.examples import Dialogue, Example, Told
from svc_chat.tuning_errors import InvalidExamples

MAX_EXAMPLES = 10_000
MAX_CHARS = 20_000
"""Of one example."""
ROLES = ("system", "developer", "user", "assistant", "tool")
LEAST_WORDS = 3
"""A shorter sentence cannot be asked for by some of its words."""
_ASKED = re.compile(
    r"(?:p|pergunta|q|question|usu[áa]rio|user|human|entrada|input)\s*[:>]\s*(.*)", re.I | re.S
)
_ANSWERED = re.compile(
    r"(?:r|resposta|a|answer|assistente|assistant|bot|sa[íi]da|output)\s*[:>]\s*(.*)", re.I | re.S
)
_ANSWER_BEGINS = re.compile(r"\s+(?=(?:r|resposta|a|answer)\s*:)", re.I)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"“'(]?[A-ZÀ-Ý0-9])")
_PAIRS = (("prompt", "completion"), ("question", "answer"), ("pergunta", "resposta"), ("input", "output"))


def read_jsonl(content: str, param: str = "training_file") -> list[Example]:
    """Return the examples of a file with one JSON object a line; raises InvalidExamples."""
    found: list[Example] = []
    for number, line in enumerate(content.removeprefix("\ufeff").split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise _invalid(number, "is not JSON", param) from error
        found.append(_from_object(entry, number, param))
    return _checked(found, param)


def read_given(given: Any, param: str = "training_data") -> list[Example]:
    """Return the examples in what `/train` takes: text, an object, or a list of both; raises InvalidExamples."""
    return _checked(list(_given(given, param)), param)


def _given(given: Any, param: str) -> Iterator[Example]:
    if isinstance(given, str):
        yield from _from_text(given, param)
        return
    if isinstance(given, Mapping):
        inner = given.get("examples", given.get("data"))
        given = inner if isinstance(inner, list) else [given]
    for number, entry in enumerate(given, 1):
        if isinstance(entry, str):
            yield from _from_text(entry, param)
        else:
            yield _from_object(entry, number, param)


def _from_text(text: str, param: str) -> Iterable[Example]:
    stripped = text.strip()
    if stripped.startswith("{"):
        return read_jsonl(stripped, param)
    if stripped.startswith("["):
        try:
            return list(_given(json.loads(stripped), param))
        except ValueError:
            pass  # a text that begins with a bracket
    return _from_plain(stripped, param)


def _from_plain(text: str, param: str) -> list[Example]:
    """Read `P: … R: …` pairs (an answer goes on until the next question), and sentences where there are none."""
    found: list[Example] = []
    question: str | None = None
    asked_at, answer = 0, ""
    for number, line in _lines(text):
        asked, answered = _ASKED.fullmatch(line.strip()), _ANSWERED.fullmatch(line.strip())
        if asked is not None:
            if question is not None:
                found.append(_pair(question, answer.strip(), asked_at, param))
            question, asked_at, answer = asked[1].strip(), number, ""
        elif answered is not None and question is not None and not answer:
            answer = answered[1]
        elif question is None:
            found += [Told(sentence) for sentence in _sentences(line)]
        elif answer:
            answer += f"\n{line}"
        elif line.strip():
            question = f"{question}\n{line.strip()}"
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers, a question and its answer on one line as two, and a question at the end."""
    number = 0
    for number, line in enumerate(text.splitlines(), 1):
        parts = _ANSWER_BEGINS.split(line, maxsplit=1) if _ASKED.fullmatch(line.strip()) else [line]
        yield from ((number, part) for part in parts)
    yield number + 1, "P:"


def _sentences(line: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(line.strip(" \t-*•")):
        if len(sentence.split()) >= LEAST_WORDS:
            yield sentence.strip()[:MAX_CHARS]


def _pair(question: str, answer: str, number: int, param: str) -> Dialogue:
    if not question or not answer:
        missing = "question" if not question else "answer"
        raise _invalid(
            number, f"has no {missing}. Write 'P: question' and 'R: answer' (or 'Q:' and 'A:')", param
        )
    return _dialogue((Message("user", question), Message("assistant", answer)), number, param)


def _from_object(entry: Any, number: int, param: str) -> Example:
    if not isinstance(entry, Mapping):
        raise _invalid(number, "is not a JSON object", param)
    if "messages" in entry:
        return _from_messages(entry, number, param)
    for asked, answered in _PAIRS:
        if asked in entry and answered in entry:
            return _pair(
                _text(entry[asked], number, param), _text(entry[answered], number, param), number, param
            )
    if isinstance(entry.get("text"), str) and entry["text"].strip():
        return Told(entry["text"].strip())
    raise _invalid(number, "has neither 'messages' nor 'prompt' and 'completion'", param)


def _from_messages(entry: Mapping[str, Any], number: int, param: str) -> Dialogue:
    turns = entry["messages"]
    if not isinstance(turns, list) or not turns:
        raise _invalid(number, "has an empty 'messages'", param)
    messages: list[Message] = []
    learned: list[int] = []
    for place, turn in enumerate(turns):
        if not isinstance(turn, Mapping) or turn.get("role") not in ROLES:
            raise _invalid(number, f"has a message whose 'role' is none of {', '.join(ROLES)}", param)
        if turn.get("tool_calls"):
            raise _invalid(
                number, "has 'tool_calls', which cannot be trained. Give the answer as text", param
            )
        role = "system" if turn["role"] == "developer" else turn["role"]
        messages.append(Message(role, _text(turn.get("content"), number, param)))
        if role == "assistant" and turn.get("weight", 1) != 0:
            learned.append(place)
    if not learned or learned[0] == 0:
        raise _invalid(number, "has no message of the assistant after one of the user", param)
    tools = entry.get("tools") or ()
    if not all(isinstance(tool, Mapping) for tool in tools):
        raise _invalid(number, "has 'tools' that are not a list of objects", param)
    return _dialogue(tuple(messages), number, param, tuple(learned), tuple(tools))


def _dialogue(
    messages: tuple[Message, ...],
    number: int,
    param: str,
    learned: Sequence[int] = (1,),
    tools: tuple[Mapping[str, Any], ...] = (),
) -> Dialogue:
    chars = sum(len(message.content) for message in messages)
    if chars > MAX_CHARS:
        raise _invalid(number, f"has {chars} characters; an example may have {MAX_CHARS}. Split it", param)
    return Dialogue(messages[: learned[-1] + 1], tuple(learned), tools)


def _text(content: Any, number: int, param: str) -> str:
    if isinstance(content, list):
        parts = [
            part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"
        ]
        content = "".join(str(part) for part in parts) if len(parts) == len(content) else None
    if not isinstance(content, str) or not content.strip():
        raise _invalid(number, "has a message without text", param)
    return content


def _checked(examples: list[Example], param: str) -> list[Example]:
    if not examples:
        raise InvalidExamples(
            "The training data holds no example. Send pairs ('P: question' and 'R: answer'), sentences, or JSON lines "
            "with 'messages'.",
            param=param,
        )
    if len(examples) > MAX_EXAMPLES:
        raise InvalidExamples(
            f"The training data holds {len(examples)} examples; {MAX_EXAMPLES} may be trained at a time. Send fewer.",
            param=param,
        )
    return examples


def _invalid(number: int, what: str, param: str) -> InvalidExamples:
    return InvalidExamples(f"Line {number} of the training data {what}.", param=param)
