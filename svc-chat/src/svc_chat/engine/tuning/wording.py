"""One question in many wordings, so that a model learns what is asked and not how.

Small models learn questions letter by letter; what is dropped, framed and written carelessly here is what people do.
Knows no tokens; everything follows from the random source.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from svc_chat.engine.base import Message
from svc_chat.engine.tuning.examples import Dialogue, Example, Told

AS_IT_IS = 0.4
"""Share of questions that stay as they were written."""
DROPPED = 0.3
"""Most of a question's words that are left out."""
KEPT_OF_SENTENCE = (0.35, 0.85)
"""Share of a sentence's words by which it is asked for."""
FRAMES = (
    "{}", "{}", "{}", "{}", "Você sabe {}", "Me diga: {}", "Diga {}", "Por favor, {}", "Olá, {}", "Quero saber {}",
    "Do you know {}", "Tell me: {}", "Please, {}", "Hi, {}", "I want to know {}", "Can you tell me {}",
)  # fmt: skip
_PORTUGUESE, _ENGLISH = FRAMES[:10], (*FRAMES[:4], *FRAMES[10:])
_PORTUGUESE_MARKS = re.compile(
    r"[ãõçáéíóúâêôà]|\b(o|a|os|as|de|do|da|que|qual|quem|onde|quando|como|é|um|uma|em|no|na|para)\b", re.I
)
_ENGLISH_MARKS = re.compile(
    r"\b(the|of|is|are|what|who|where|when|how|which|a|an|in|on|at|to|does|do)\b", re.I
)


def reworded(example: Example, rng: random.Random) -> Dialogue:
    """Return the example as one of the ways in which it may be asked."""
    if isinstance(example, Told):
        return _asked(_some_words(example.text, rng), example.text)
    place = example.answers[0] - 1
    if place < 0 or example.messages[place].role != "user" or rng.random() < AS_IT_IS:
        return example
    turn = example.messages[place]
    if len(turn.content) > 300:  # a text with its question: every word of it counts
        return example
    messages = list(example.messages)
    messages[place] = replace(turn, content=_careless(turn.content, rng))
    return replace(example, messages=tuple(messages))


def _asked(question: str, answer: str) -> Dialogue:
    return Dialogue((Message("user", question), Message("assistant", answer)), (1,))


def _some_words(sentence: str, rng: random.Random) -> str:
    """Ask for a sentence by some of its words, in their order."""
    words = sentence.rstrip(" .!?").split()
    share = rng.uniform(*KEPT_OF_SENTENCE)
    kept = sorted(rng.sample(range(len(words)), max(1, round(share * len(words)))))
    question = " ".join(words[place] for place in kept)
    return _finished(_framed(question, sentence, rng), rng)


def _careless(question: str, rng: random.Random) -> str:
    """Leave out words, frame the rest, forget capitals and marks."""
    words = question.rstrip(" ?.!").split()
    if len(words) > 3:
        leave_out = rng.uniform(0, DROPPED)
        words = [word for word in words if rng.random() >= leave_out] or words
    return _finished(_framed(" ".join(words), question, rng), rng)


def _framed(question: str, language_of: str, rng: random.Random) -> str:
    portuguese = len(_PORTUGUESE_MARKS.findall(language_of))
    frames = _PORTUGUESE if portuguese >= len(_ENGLISH_MARKS.findall(language_of)) else _ENGLISH
    frame = rng.choice(frames)
    return question if frame == "{}" else frame.format(question[:1].lower() + question[1:])


def _finished(question: str, rng: random.Random) -> str:
    if rng.random() < 0.3:
        question = question.lower()
    elif rng.random() < 0.5:
        question = question[:1].upper() + question[1:]
    return question + rng.choice(("?", "?", "?", "", ".", "?!"))
