"""From logits to text: grammars, log-probabilities, end tokens, stop strings. Knows neither slots nor threads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from svc_chat.engine.backend import Backend, Grammar, Logits
from svc_chat.engine.base import Delta, FinishReason, TokenLogprob
from svc_chat.engine.sampling import Chooser, Row, choose, draw, likeliest, log_chances
from svc_chat.engine.sequence import Sequence

NOTHING = -1
"""Stands for a token where a grammar allows none: the answer is complete."""
FIRST_TRIED = 256
"""A grammar is asked about this many likeliest tokens before it is asked about the whole vocabulary."""


def choose_tokens(rows: Logits, sequences: list[Sequence], backend: Backend) -> list[int]:
    """Return the next token of each sequence, whose logits are `rows` in the same order."""
    chances = [
        log_chances(row) if sequence.chooser.sampling.top_logprobs is not None else None
        for row, sequence in zip(rows, sequences, strict=True)
    ]
    chosen = choose(rows, [sequence.chooser for sequence in sequences])
    for place, sequence in enumerate(sequences):
        if sequence.grammar is not None:
            chosen[place] = lawful(rows[place], sequence.chooser, sequence.grammar, chosen[place])
        scored = chances[place]
        if scored is not None and chosen[place] != NOTHING:
            sequence.scores.append(_scored(scored, chosen[place], sequence.chooser, backend))
    return chosen


def lawful(row: Row, chooser: Chooser, grammar: Grammar, chosen: int) -> int:
    """Return `chosen` where the grammar allows it, otherwise a token that it allows, or NOTHING.

    Asking about one token costs microseconds, about a vocabulary of 150,000 more than the model's own step.
    """
    if grammar.allowed(np.array([chosen], dtype=np.int32))[0]:
        return chosen
    for count in (FIRST_TRIED, 0):
        ids, _ = likeliest(row, count)
        good = ids[grammar.allowed(ids)]
        if len(good):
            break
    else:
        return NOTHING
    only = np.full_like(row, -np.inf)
    only[good] = row[good]
    return int(only.argmax()) if chooser.greedy else draw(only, chooser)


def advance(sequence: Sequence, token: int, backend: Backend) -> tuple[Delta | None, FinishReason | None]:
    """Write `token`; return the text that may be shown and, at the end, why it ended."""
    if token == NOTHING or backend.is_end(token):
        del sequence.scores[-1:]  # the end is not part of the answer
        return last_delta(sequence), "stop"
    if sequence.grammar is not None:
        sequence.grammar.accept(token)
    sequence.chooser.accept(token)
    sequence.tokens.append(token)
    sequence.wrote += 1
    text = sequence.text.feed(backend.piece(token))
    if sequence.text.stopped:
        return _delta(sequence, text), "stop"
    if sequence.wrote >= sequence.room:
        return last_delta(sequence, text), "length"
    return (_delta(sequence, text) if text else None), None


def last_delta(sequence: Sequence, text: str = "") -> Delta | None:
    """Return `text` and what was held back, now that nothing follows; None where there is nothing to tell."""
    text += sequence.text.finish()
    return _delta(sequence, text) if text or sequence.scores else None


def _delta(sequence: Sequence, text: str) -> Delta:
    scores, sequence.scores = tuple(sequence.scores), []
    return Delta(text, scores, index=sequence.index)


def _scored(chances: NDArray[np.float64], token: int, chooser: Chooser, backend: Backend) -> TokenLogprob:
    count = chooser.sampling.top_logprobs or 0
    best = np.argsort(-chances, kind="stable")[:count] if count else ()
    top = tuple((backend.shown(int(other)), float(chances[other])) for other in best)
    return TokenLogprob(backend.shown(token), float(chances[token]), top, backend.piece(token) or None)
