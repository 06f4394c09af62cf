"""What looks over a generation's shoulder: ends it when nobody waits, notes how sure each token was.

Owns the hooks that transformers' `generate` calls. Knows nothing about models.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def hooks(left: Callable[[], bool]) -> dict[str, Any]:
    """Return options of `generate` that end it as soon as `left()` is true."""
    from transformers import StoppingCriteriaList

    def gone(tokens: Any, scores: Any, **_: Any) -> Any:
        return tokens.new_full((tokens.shape[0],), left(), dtype=bool)

    return {"stopping_criteria": StoppingCriteriaList([gone])}


class Sureness:
    """Notes the probability of each token that a greedy search takes: the largest there is.

    A LogitsProcessor. The probabilities of all tokens at all steps would take a hundred megabytes a picture.
    """

    def __init__(self) -> None:
        self.steps: list[list[float]] = []
        """(steps, B) from 0 to 1"""

    def __call__(self, tokens: Any, scores: Any) -> Any:
        self.steps.append(scores.float().softmax(dim=-1).amax(dim=-1).tolist())
        return scores
