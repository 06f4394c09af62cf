"""Skill of scenes: describe one, invent one, or answer about one whose caption is given."""

from __future__ import annotations

import random

from miniatures.scenes import grammar
from miniatures.scenes.model import Scene, Shape, is_held_out, training_scene
from miniatures.text.chat_skills import Turns, pair

_PICTURE = {
    "en": [
        "The picture shows {}.",
        "In the image there is {}.",
        "Look: {}.",
        "Scene: {}.",
        "I have a picture of {}.",
    ],
    "pt": ["A imagem mostra {}.", "Na imagem há {}.", "Veja: {}.", "Cena: {}.", "Tenho uma imagem de {}."],
}
_DESCRIBE = {
    "en": [
        "Describe a scene with {}.",
        "Describe a picture with {}",
        "Imagine a scene with {}.",
        "Describe {}.",
    ],
    "pt": [
        "Descreva uma cena com {}.",
        "Descreva uma imagem com {}",
        "Imagine uma cena com {}.",
        "Descreva {}.",
    ],
}
_IDEA = {
    "en": [
        "Give me an idea for a picture.",
        "Describe a scene.",
        "What should I draw?",
        "Suggest a picture",
        "Invent a scene",
        "Describe a simple scene",
        "Describe any scene.",
        "Tell me what to draw",
    ],
    "pt": [
        "Me dê uma ideia de imagem.",
        "Descreva uma cena.",
        "O que devo desenhar?",
        "Sugira uma imagem",
        "Invente uma cena",
        "Descreva uma cena simples",
        "Descreva uma cena qualquer.",
        "Me diga o que desenhar",
    ],
}


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _definite(shape: Shape, language: str) -> str:
    if language == "en":
        return f"the {shape.kind}"
    gender, noun, _ = grammar.PORTUGUESE_SHAPES[shape.kind]
    return f"{'a' if gender == 'f' else 'o'} {noun}"


def _ask_colour(shape: Shape, language: str) -> tuple[str, str]:
    the = _definite(shape, language)
    if language == "en":
        return f"What colour is {the}?", f"{the.capitalize()} is {shape.colour}."
    form = 1 if grammar.PORTUGUESE_SHAPES[shape.kind][0] == "f" else 0
    return f"De que cor é {the}?", f"{the.capitalize()} é {grammar.PORTUGUESE_COLOURS[shape.colour][form]}."


def _ask_count(scene: Scene, language: str) -> tuple[str, str]:
    count = len(scene.shapes)
    if language == "en":
        said = ("There is one shape.", "There are two shapes.", "There are three shapes.")[count - 1]
        return "How many shapes are there?", said
    return "Quantas formas há?", ("Há uma forma.", "Há duas formas.", "Há três formas.")[count - 1]


def _ask_ground(scene: Scene, language: str) -> tuple[str, str]:
    if language == "en":
        return "What colour is the background?", f"The background is {scene.background}."
    return "De que cor é o fundo?", f"O fundo é {grammar.PORTUGUESE_COLOURS[scene.background][0]}."


def _describe(rng: random.Random, language: str) -> Turns:
    """Say where shapes are that were only named; on white, which must not make a held-out scene."""
    while True:
        shapes = training_scene(rng).shapes
        plain = Scene(shapes, {1: "centre", 2: "left_of", 3: "row"}[len(shapes)], "white")
        if not is_held_out(plain):
            break
    phrases = [grammar.article(grammar.shape_phrase(shape, language), language) for shape in shapes]
    joined = phrases[0]
    if len(phrases) > 1:
        joined = f"{', '.join(phrases[:-1])} {'e' if language == 'pt' else 'and'} {phrases[-1]}"
    return pair(rng.choice(_DESCRIBE[language]).format(joined), _sentence(grammar.canonical(plain, language)))


def scene_talk(rng: random.Random, language: str) -> Turns:
    """Describe a scene, or answer about one whose caption is given."""
    kind = rng.random()
    if kind < 0.25:
        return pair(rng.choice(_IDEA[language]), _sentence(grammar.canonical(training_scene(rng), language)))
    scene = training_scene(rng)
    if kind < 0.5:
        return _describe(rng, language)
    caption = rng.choice(_PICTURE[language]).format(grammar.canonical(scene, language))
    asked: list[tuple[str, str]] = [_ask_count(scene, language), _ask_ground(scene, language)]
    kinds = [shape.kind for shape in scene.shapes]
    asked += 2 * [_ask_colour(shape, language) for shape in scene.shapes if kinds.count(shape.kind) == 1]
    first, answer = rng.choice(asked)
    turns = pair(f"{caption} {first}", answer)
    if rng.random() < 0.5:
        turns += pair(*rng.choice(asked))
    return turns
