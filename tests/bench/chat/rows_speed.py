"""Rows of throughput: tokens a second with several conversations at once, and the first token."""

from __future__ import annotations

from dataclasses import replace

from tests.bench.chat.bench import OURS, Bench
from tests.bench.chat.client import Outcome
from tests.bench.chat.peers import LLAMA_CPP_PYTHON, LLAMA_SERVER
from tests.bench.chat.prompts import Sampling, question
from tests.bench.report import Bar, Finding, median
from tests.bench.rows import in_turn

TEMPERATURES = (0.0, 0.8)
BARS = {
    (LLAMA_SERVER, 8): Bar(0.95),
    (LLAMA_SERVER, 16): Bar(0.95),
    (LLAMA_CPP_PYTHON, 8): Bar(3.0),
    (LLAMA_CPP_PYTHON, 16): Bar(4.0),
}
FIRST_TOKEN_BARS = {LLAMA_SERVER: Bar(1.1, "at most")}
FIRST_TOKEN_AT = 8
"""Conversations at once of which the first token is told."""

Outcomes = dict[str, list[Outcome]]


async def tokens(bench: Bench, conversations: int) -> list[Finding]:
    """Answer `conversations` at once, greedily and with temperature."""
    findings: list[Finding] = []
    for temperature in TEMPERATURES:
        outcomes = await _rounds(bench, conversations, temperature)
        findings += _throughput(outcomes, conversations, temperature)
        if conversations == FIRST_TOKEN_AT and temperature == 0:
            findings += _first_token(outcomes, conversations)
    return findings


async def _rounds(bench: Bench, conversations: int, temperature: float) -> Outcomes:
    contenders = await bench.contenders()
    options = bench.options
    sampling = Sampling(temperature, options.answer_tokens)
    outcomes: Outcomes = {contender.name: [] for contender in contenders}
    for number in range(options.rounds):
        asked = [
            question(options.prompt_tokens, "tokens", conversations, number, temperature, index)
            for index in range(conversations)
        ]
        for contender in in_turn(contenders, number):
            outcomes[contender.name].append(await contender.answer_all(asked, sampling))
    return outcomes


def _throughput(outcomes: Outcomes, conversations: int, temperature: float) -> list[Finding]:
    row = f"{conversations} at once, temperature {temperature:g}"
    medians = {name: median(o.tokens_per_s for o in found) for name, found in outcomes.items()}
    each = {name: median(o.tokens_per_cpu_s for o in found) for name, found in outcomes.items()}
    bars = {name: bar for (name, count), bar in BARS.items() if count == conversations}
    findings = _against_each(medians, row, "tokens/s", bars)
    return [replace(found, note=_by_processor(found, each)) for found in findings]


def _by_processor(found: Finding, each: dict[str, float]) -> str:
    """Say what a processor second gives: it hardly changes when other work takes processors away."""
    ours = each.get(OURS)
    if ours is None or found.beside_name not in each:
        return found.note
    beside = each[found.beside_name]
    return f"a processor second: {ours:.0f} and {beside:.0f} tokens, {ours / beside:.2f} ×"


def _first_token(outcomes: Outcomes, conversations: int) -> list[Finding]:
    medians = {name: 1000 * median(o.first_s for o in found) for name, found in outcomes.items()}
    row = f"first token p50, {conversations} at once, temperature 0"
    return _against_each(medians, row, "ms", FIRST_TOKEN_BARS)


def _against_each(medians: dict[str, float], row: str, unit: str, bars: dict[str, Bar]) -> list[Finding]:
    """Set our figure beside each other one; without ours, list what there is."""
    if OURS not in medians:
        return [Finding(row, value, unit, note=f"this is {name}") for name, value in medians.items()]
    ours = medians[OURS]
    others = {name: value for name, value in medians.items() if name != OURS}
    if not others:
        return [Finding(row, ours, unit)]
    return [Finding(row, ours, unit, name, value, bars.get(name)) for name, value in others.items()]
