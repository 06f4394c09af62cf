"""Dialogues of data analysis for training: files on offer, requests, calls, what the code printed, answers.

What the code prints is made up, in the form in which it would be printed: an answer only copies it. That the
code is right is a test's business, which runs it.
"""

from __future__ import annotations

import random
from dataclasses import replace

from miniatures.text import chat_phrases, words
from miniatures.text.chat_analysis import Manner, Request, answer, ask, code, request
from miniatures.text.chat_analysis_phrases import FAILED, NO_FILE, OPENINGS, SYSTEMS
from miniatures.text.chat_format import Dialogue, Message, Tool
from miniatures.text.chat_skills import Turns, pair
from miniatures.text.chat_tools import REQUESTS, call_text
from miniatures.text.tables import PYTHON, PYTHON_TEXT, Table, files_text, label, quantity, table, with_named

_TEXTS = (
    PYTHON_TEXT,
    PYTHON_TEXT,
    PYTHON_TEXT,
    "Run Python code.",
    "Executes Python in a sandbox with pandas.",
    "Run Python code and get what it prints. Variables stay from call to call. Files: /mnt/data/{}. Save charts and "
    "files that you make in /mnt/data.",
)
_ERRORS = ("KeyError: {}", "ValueError: could not convert string to float: {}", "TypeError: {}", "Error: {}")
_CHART_TOLD = (
    "Made the file sandbox:/mnt/data/chart.png",
    "Made the file sandbox:/mnt/data/chart.png",
    "It printed nothing.",
    "",
    "",
    "chart.png",
    "Saved: chart.png",
    "Files: chart.png",
    "Created chart.png.",
)


def python_tool(text: str = PYTHON_TEXT) -> Tool:
    """Return the function that runs code."""
    return Tool(PYTHON, text, ("code",))


def call(made: Request) -> str:
    """Return the call that a request is answered with."""
    return call_text(PYTHON, {"code": code(made)})


def system_text(instructions: str, tables: list[Table]) -> str:
    """Return the system's turn: instructions, and what is said of the files."""
    return "\n\n".join(part for part in (instructions, files_text(tables) if tables else "") if part)


def printed(rng: random.Random, made: Request, language: str) -> str:
    """Make up what a request's code prints."""
    if made.chart:
        return rng.choice(_CHART_TOLD)
    if made.what == "columns":
        return ", ".join(name for name, _ in made.table.columns)
    if made.what == "summary":
        numbers = made.table.named("number")
        names = ("count", "mean", "std", "min", "25%", "50%", "75%", "max")
        return "\n".join(
            ["," + ",".join(numbers)] + [",".join([row, *(_float(rng) for _ in numbers)]) for row in names]
        )
    if made.what == "show":
        rows = [
            ",".join(
                quantity(rng) if kind == "number" else label(rng, language) for _, kind in made.table.columns
            )
            for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 8)))
        ]
        return "\n".join([",".join(name for name, _ in made.table.columns), *rows])
    whole = made.what in ("rows", "count")
    if not made.group:
        return str(rng.randrange(1000)) if whole else quantity(rng)
    labels = {label(rng, language) for _ in range(rng.randint(2, 5))}
    return "\n".join(f"{name},{rng.randrange(100) if whole else quantity(rng)}" for name in sorted(labels))


def _float(rng: random.Random) -> str:
    return f"{float(quantity(rng))}"


def turns_of(rng: random.Random, made: Request, language: str, *, name_file: bool) -> Turns:
    """Ask, call, hear what came out and tell it; one time in thirty the code fails."""
    asked = ask(rng, made, Manner(language, is_blurred=True), name_file=name_file)
    if rng.random() < 0.25:  # what stands around a request may be anything
        asked = (asked[0].lower() + asked[1:]) if rng.random() < 0.7 else asked
        noise = " ".join(words.common_word(rng, language) for _ in range(rng.randint(1, 4)))
        asked = f"{noise} {asked}" if made.condition or rng.random() < 0.8 else f"{asked}. {noise}"
    elif rng.random() < 0.25:
        asked = rng.choice(OPENINGS[language]) + " " + asked[0].lower() + asked[1:]
    output, said = printed(rng, made, language), ""
    if rng.random() < 0.03:
        lost = rng.choice(_ERRORS).format(repr(words.common_word(rng, language)))
        before = rng.choice(("", "Traceback (most recent call last):\n", "This did not work: "))
        output = before + lost
        said = FAILED[language]
    said = said or answer(made, language, output)
    end = "\n" if output and rng.random() < 0.5 else ""
    return [
        Message("user", asked), Message("assistant", call(made)), Message("tool", output + end), Message("assistant", said),
    ]  # fmt: skip


def _request(rng: random.Random, its: Table, language: str) -> Request:
    """Draw a request: more often one with a condition, or a chart of one column or of rows, than `request` does.

    These are what a model gets wrong most often.
    """
    made = request(rng, its, language)
    while not (made.condition or (made.chart and made.what in ("rows", "show"))) and rng.random() < 0.4:
        made = request(rng, its, language)
    return made


def analysis(rng: random.Random, language: str, plain: Turns) -> Dialogue:
    """Ask one to three things of one to three files, now and then with `plain` talk before or after."""
    tables = [
        table(rng, language=language if rng.random() < 0.7 else "")
        for _ in range(rng.choice((1,) * 10 + (2, 2, 3)))
    ]
    tools = [
        python_tool(rng.choice(_TEXTS).format(tables[0].file)),
        *(one.tool for one in rng.sample(REQUESTS, rng.choice((0, 0, 0, 0, 0, 0, 1, 2)))),
    ]
    rng.shuffle(tools)
    kind = rng.random()
    if kind < 0.05:
        return Dialogue(
            _linked(plain, tables), system_text(_instructions(rng, language), tables), tuple(tools)
        )
    turns: Turns = []
    if kind < 0.08:
        asked = ask(rng, request(rng, tables[0], language), Manner(language), name_file=rng.random() < 0.3)
        return Dialogue(tuple(pair(asked, NO_FILE[language])), _instructions(rng, language), tuple(tools))
    for _ in range(rng.choice((1, 1, 2))):
        made = _request(rng, rng.choice(tables), language)
        turns += turns_of(rng, made, language, name_file=len(tables) > 1 or rng.random() < 0.25)
    if kind > 0.75:
        turns = turns[:-2]  # what comes after a call is learnt sooner than the call
    if kind < 0.16:
        turns = [*plain, *turns] if rng.random() < 0.6 else [*turns, *plain]
    turns = turns if rng.random() < 0.04 else list(_linked(turns, tables))
    return Dialogue(tuple(turns), system_text(_instructions(rng, language), tables), tuple(tools))


def _linked(turns: Turns, tables: list[Table]) -> tuple[Message, ...]:
    """Say below what a user says which names of the tables it holds."""
    return tuple(
        replace(turn, text=with_named(turn.text, tables)) if turn.role == "user" else turn for turn in turns
    )


def _instructions(rng: random.Random, language: str) -> str:
    kind = rng.random()
    if kind < 0.6:
        return ""
    if kind < 0.8:
        return rng.choice(SYSTEMS[language if rng.random() < 0.8 else "en"])
    if kind < 0.92:
        return rng.choice(chat_phrases.PLAIN_SYSTEMS[language])
    count = rng.randint(2, 12)
    return " ".join(words.common_word(rng, language) for _ in range(count)).capitalize() + "."
