"""Run the chat suite on a GGUF file with llama-cpp-python, greedily, on one thread.

`python -m miniatures.text.chat_score --model oficina-chat.gguf`. Owns the runner and the counts;
the dialogues and their rules are in `chat_suite`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment
from llama_cpp import Llama

from miniatures.text.chat_reading import NOT_HELD, READING_SYSTEM, reading
from miniatures.text.chat_suite import Case, cases

MOST_TOKENS = 96


@dataclass
class Outcome:
    """Right answers and all dialogues, by skill; words written in processor time; the wrong answers."""

    right: dict[str, int] = field(default_factory=dict)
    total: dict[str, int] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0
    wrong: list[tuple[Case, str]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return the scores for a card."""
        by_skill = {skill: f"{self.right.get(skill, 0)}/{count}" for skill, count in self.total.items()}
        rate = round(self.tokens / self.seconds) if self.seconds else 0
        return {
            "right": sum(self.right.values()), "dialogues": sum(self.total.values()),
            "by_skill": by_skill, "tokens_per_second": rate,
        }  # fmt: skip


class Speaker:
    """A loaded model that answers messages."""

    def __init__(self, path: Path) -> None:
        # A small model gains nothing from a second thread: waiting for it costs more than it works.
        self._llama = Llama(model_path=str(path), n_ctx=2048, n_threads=1, n_threads_batch=1, verbose=False)
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self._template = environment.from_string(self._llama.metadata["tokenizer.chat_template"])
        self.tokens, self.seconds = 0, 0.0

    def answer(
        self,
        messages: list[dict[str, Any]],
        tools: list[dict[str, Any]] | None,
        *,
        most_tokens: int = MOST_TOKENS,
    ) -> str:
        """Return the model's most likely answer."""
        prompt = self._template.render(messages=messages, tools=tools, add_generation_prompt=True)
        ids = self._llama.tokenize(prompt.encode(), add_bos=False, special=True)
        written: list[int] = []
        started = time.process_time()
        for token in self._llama.generate(ids, temp=0.0, repeat_penalty=1.0):
            if not written:
                started = time.process_time()
            if token == self._llama.token_eos() or len(written) >= most_tokens:
                break
            written.append(token)
        self.seconds += time.process_time() - started
        self.tokens += max(0, len(written))
        return self._llama.detokenize(written, special=True).decode("utf-8", "replace")


def run(path: Path, chosen: Iterable[Case] | None = None) -> Outcome:
    """Judge a model by the suite, or by some of its cases."""
    speaker, outcome = Speaker(path), Outcome()
    for case in cases() if chosen is None else chosen:
        messages: list[dict[str, Any]] = [{"role": "system", "content": case.system}] if case.system else []
        tools = [tool.as_json() for tool in case.tools] or None
        said = ""
        for text in case.said:
            messages.append({"role": "user", "content": text})
            said = speaker.answer(messages, tools)
            messages.append({"role": "assistant", "content": said})
        passed = case.rule(said)
        outcome.total[case.skill] = outcome.total.get(case.skill, 0) + 1
        outcome.right[case.skill] = outcome.right.get(case.skill, 0) + passed
        if not passed:
            outcome.wrong.append((case, said))
    outcome.tokens, outcome.seconds = speaker.tokens, speaker.seconds
    return outcome


@dataclass
class Reading:
    """Answers to fresh questions about fresh passages: word for word right, or at least the right passage."""

    held: int = 0
    exact: int = 0
    right_passage: int = 0
    not_held: int = 0
    said_so: int = 0


def read_fresh(path: Path, count: int = 200, seed: int = 987_654_321) -> Reading:
    """Ask about passages drawn from the generator by a seed of no training pool, half in each language."""
    speaker, rng, found = Speaker(path), random.Random(seed), Reading()
    for number in range(count):
        language = ("en", "pt")[number % 2]
        asked, answered = reading(rng, language)[:2]
        messages = [
            {"role": "system", "content": READING_SYSTEM[language]},
            {"role": "user", "content": asked.text},
        ]
        said, wanted = speaker.answer(messages, None), answered.text
        if wanted == NOT_HELD[language]:
            found.not_held += 1
            found.said_so += said == wanted
        else:
            found.held += 1
            found.exact += said == wanted
            found.right_passage += said.split("]")[0] == wanted.split("]")[0]
    return found


def main() -> None:
    """Print the scores as JSON, and some wrong answers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--show", type=int, default=12)
    args = parser.parse_args()
    outcome = run(args.model)
    for case, said in outcome.wrong[: args.show]:
        print(f"{case.skill} {case.language}: {case.said[-1][-60:]!r} -> {said!r}")
    print(json.dumps(outcome.summary(), indent=1))


if __name__ == "__main__":
    main()
