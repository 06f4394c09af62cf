"""Prompts for scenes as people would write them, and what a text encoder must find in them.

Owns the noise put around the grammar's sentences. Knows nothing about tokens or pictures.
"""

import random
import re
from dataclasses import replace

from miniatures.scenes.grammar import LANGUAGES, captions
from miniatures.scenes.model import (
    BACKGROUNDS,
    COLOURS,
    POSITIONS,
    RELATIONS,
    ROW,
    SHAPES,
    SIZES,
    Scene,
)

WRAPPINGS = {
    "en": (
        "please {}",
        "{} please",
        "{}, high quality",
        "{}, beautiful, 4k",
        "make {}",
        "create {}",
        "paint {}",
        "i want {}",
        "can you draw {}?",
        "a photo of {}",
        "a drawing of {}",
        "generate an image of {}",
        "an illustration of {}",
        "{}, simple",
        "{}.",
        "{}!",
        "draw me {}",
        "i would like to see {}",
    ),
    "pt": (
        "por favor, {}",
        "{} por favor",
        "{}, alta qualidade",
        "{}, bonito, 4k",
        "faça {}",
        "crie {}",
        "pinte {}",
        "quero {}",
        "você pode desenhar {}?",
        "uma foto de {}",
        "gere uma imagem de {}",
        "{}, simples",
        "{}.",
        "{}!",
        "uma ilustração de {}",
        "eu gostaria de ver {}",
        "desenha {}",
    ),
}
ARTICLES = {"en": r"\b(a|an) ", "pt": r"\b(um|uma) "}
NONE = "none"

# What a prompt says, as questions with a fixed list of answers.
_SLOT = {"kind": (NONE, *SHAPES), "colour": (NONE, *COLOURS), "size": (NONE, *SIZES)}
QUESTIONS: dict[str, tuple[str, ...]] = {
    "background": BACKGROUNDS,
    "relation": (*POSITIONS, *RELATIONS, ROW),
    **{f"{name}{slot}": answers for slot in range(3) for name, answers in _SLOT.items()},
}


def random_prompt(scene: Scene, rng: random.Random, language: str | None = None) -> str:
    """One way of asking for a scene; half of the time the canonical one."""
    language = language or rng.choice(LANGUAGES)
    said = captions(scene, language)
    if scene.background == "black" and any(shape.colour == "white" for shape in scene.shapes):
        # Where no background is said white is meant, but a white shape then needs a dark one.
        said += [
            text for text in captions(replace(scene, background="white"), language) if not _has_ground(text)
        ]
    prompt = said[0] if rng.random() < 0.4 else rng.choice(said)
    if rng.random() < 0.2:
        prompt = rng.choice(WRAPPINGS[language]).format(prompt)
    if rng.random() < 0.1:
        prompt = re.sub(ARTICLES[language], "", prompt)
    return prompt


def _has_ground(text: str) -> bool:
    return "background" in text or "fundo" in text


def answers(scene: Scene) -> list[int]:
    """The index of the right answer to each question about a scene."""
    facts = {"background": scene.background, "relation": scene.relation}
    for slot in range(3):
        shape = scene.shapes[slot] if slot < len(scene.shapes) else None
        facts[f"kind{slot}"] = shape.kind if shape else NONE
        facts[f"colour{slot}"] = shape.colour if shape else NONE
        facts[f"size{slot}"] = shape.size if shape else NONE
    return [choices.index(facts[question]) for question, choices in QUESTIONS.items()]
