"""Skills of reading: answer from numbered passages, and from the caption of a scene.

Answers repeat the sentence of the passage that holds them and cite it. The values, names and many
of the attributes are random, so that reading is the only way to answer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from miniatures.scenes import grammar
from miniatures.scenes.model import COLOURS, Scene, Shape, is_held_out, training_scene
from miniatures.text import words
from miniatures.text.chat_skills import Turns, pair

READING_SYSTEM = {
    "en": "Answer only from the numbered passages. Cite them like [1]. If they do not hold the answer, say so.",
    "pt": "Responda apenas com os trechos numerados. Cite-os como [1]. Se eles não tiverem a resposta, diga isso.",
}
NOT_HELD = {"en": "The passages do not say.", "pt": "Os trechos não dizem."}
_LABELS = {"en": ("Passages", "Question"), "pt": ("Trechos", "Pergunta")}

# statement | question | question ... ; {s} is the subject, {v} the value, whose kind comes first.
_PATTERNS: dict[str, tuple[str, ...]] = {
    "en": (
        "price: The {s} costs {v}.|How much does the {s} cost?|What is the price of the {s}?|How much is the {s}?",
        "days: The deadline for the {s} is {v}.|What is the deadline for the {s}?|How long do I have for the {s}?",
        "days: The {s} can be returned within {v}.|How long do I have to return the {s}?|When can the {s} be returned?",
        "day: The {s} opens on {v}.|When does the {s} open?|On which day does the {s} open?",
        "hour: The {s} closes at {v}.|When does the {s} close?|At what time does the {s} close?",
        "person: The {s} belongs to {v}.|Whose is the {s}?|Who owns the {s}?|Who does the {s} belong to?",
        "person: {v} wrote the {s}.|Who wrote the {s}?|Who is the author of the {s}?",
        "place: The {s} is in {v}.|Where is the {s}?|In which city is the {s}?|Where can I find the {s}?",
        "date: The {s} took place on {v}.|When was the {s}?|When did the {s} take place?|On what date was the {s}?",
        "count: The {s} has {v} rooms.|How many rooms does the {s} have?|How many rooms are there in the {s}?",
        "word: The password of the {s} is {v}.|What is the password of the {s}?|Tell me the password of the {s}",
        "colour: The {s} is painted {v}.|What colour is the {s}?|What is the colour of the {s}?",
        "days: The warranty of the {s} lasts {v}.|How long is the warranty of the {s}?|What warranty does the {s} have?",
        "person: {v} works at the {s}.|Who works at the {s}?",
    ),
    "pt": (
        "price: O preço de {s} é {v}.|Quanto custa {s}?|Qual é o preço de {s}?|Qual o valor de {s}?",
        "days: O prazo de {s} é de {v}.|Qual é o prazo de {s}?|Quanto tempo tenho para {s}?|Qual o prazo para {s}?",
        "days: A devolução de {s} pode ser feita em até {v}.|Em quanto tempo posso devolver {s}?|"
        "Qual é o prazo de devolução de {s}?",
        "day: O setor de {s} abre na {v}.|Quando abre o setor de {s}?|Em que dia abre o setor de {s}?",
        "hour: A loja {s} fecha às {v}.|A que horas fecha a loja {s}?|Quando fecha a loja {s}?",
        "person: O dono de {s} é {v}.|De quem é {s}?|Quem é o dono de {s}?",
        "person: O livro {s} foi escrito por {v}.|Quem escreveu o livro {s}?|Quem é o autor do livro {s}?",
        "place: A sede de {s} fica em {v}.|Onde fica a sede de {s}?|Em que cidade fica a sede de {s}?",
        "date: A festa de {s} foi em {v}.|Quando foi a festa de {s}?|Em que data foi a festa de {s}?",
        "count: O hotel {s} tem {v} quartos.|Quantos quartos tem o hotel {s}?|Quantos quartos há no hotel {s}?",
        "word: A senha de {s} é {v}.|Qual é a senha de {s}?|Me diga a senha de {s}",
        "colour: A casa de {s} é {v}.|De que cor é a casa de {s}?|Qual é a cor da casa de {s}?",
        "days: A garantia de {s} é de {v}.|Qual é a garantia de {s}?|Quanto tempo dura a garantia de {s}?",
        "person: {v} trabalha em {s}.|Quem trabalha em {s}?",
    ),
}
_FREE = {
    "en": (
        "The {a} of {s} is {v}.",
        ("What is the {a} of {s}?", "Tell me the {a} of {s}", "Which is the {a} of {s}?"),
    ),
    "pt": ("Em {s}, {a} é {v}.", ("Qual é {a} em {s}?", "O que é {a} em {s}?", "Me diga {a} em {s}")),
}
_ABOUT = {
    "en": [
        "What is said about {k}?",
        "What about {k}?",
        "Tell me about {k}",
        "What does the text say about {k}?",
        "How is {k}?",
        "Is there something on {k}?",
        "{k}?",
        "When is {k}?",
        "Where is {k}?",
        "Who has {k}?",
        "How does {k} work?",
    ],
    "pt": [
        "O que se diz sobre {k}?",
        "E sobre {k}?",
        "Fale sobre {k}",
        "O que o texto diz sobre {k}?",
        "Como é {k}?",
        "Há algo sobre {k}?",
        "{k}?",
        "Quando é {k}?",
        "Onde fica {k}?",
        "Quem tem {k}?",
        "Como funciona {k}?",
    ],
}


@dataclass(frozen=True)
class Fact:
    """One sentence of a passage and a question that only it answers."""

    sentence: str
    question: str


def _value(rng: random.Random, kind: str, language: str) -> str:
    if kind == "price":
        unit = {"en": ("dollars", "euros", "reais"), "pt": ("reais", "euros", "dólares")}[language]
        return f"{words.number(rng)} {rng.choice(unit)}"
    if kind == "days":
        unit = {"en": ("days", "months", "weeks", "hours"), "pt": ("dias", "meses", "semanas", "horas")}[
            language
        ]
        return f"{rng.randint(2, 99)} {rng.choice(unit)}"
    if kind == "day":
        return rng.choice(words.WEEKDAYS[language])
    if kind == "hour":
        return f"{rng.randint(1, 23)}" + (":00" if language == "en" else " horas")
    if kind == "person":
        return words.person(rng) + (f" {words.made_up(rng)}" if rng.random() < 0.4 else "")
    if kind == "place":
        return words.city(rng)
    if kind == "date":
        day, month = rng.randint(1, 31), rng.choice(words.MONTHS[language])
        return f"{day} {month}" if language == "en" else f"{day} de {month}"
    if kind == "count":
        return words.number(rng)
    if kind == "colour":
        colour = rng.choice(COLOURS)
        return colour if language == "en" else grammar.PORTUGUESE_COLOURS[colour][1]
    return words.made_up(rng, capital=rng.random() < 0.5)


def _subject(rng: random.Random, language: str) -> str:
    kind = rng.random()
    if kind < 0.4:
        return words.made_up(rng)
    if kind < 0.75:
        return words.common_word(rng, language)
    return f"{words.common_word(rng, language)} {words.made_up(rng)}"


def fact(rng: random.Random, language: str) -> Fact:
    """Make up one fact."""
    kind = rng.random()
    if kind < 0.3:
        sentence, asked = _FREE[language]
        free = {"a": words.common_word(rng, language), "s": _subject(rng, language)}
        value = _value(rng, rng.choice(("word", "person", "count", "place", "date")), language)
        return Fact(sentence.format(v=value, **free), rng.choice(asked).format(**free))
    if kind < 0.55:
        said = [words.common_word(rng, language) for _ in range(rng.randint(4, 10))]
        start = rng.randrange(len(said) - 1)
        key = " ".join(said[start : start + rng.choice((1, 2, 2))])
        asked_text = rng.choice(_ABOUT[language]).format(k=key)
        text = " ".join(said)
        return Fact(f"{text[0].upper()}{text[1:]}.", asked_text[0].upper() + asked_text[1:])
    value_kind, _, rest = rng.choice(_PATTERNS[language]).partition(": ")
    statement, *asked_list = rest.split("|")
    subject = _subject(rng, language)
    sentence_text = statement.format(s=subject, v=_value(rng, value_kind, language))
    return Fact(sentence_text, rng.choice(asked_list).format(s=subject))


def reading_prompt(passages: list[str], question: str, language: str) -> str:
    """Return the user's message that carries numbered passages and a question."""
    title, asking = _LABELS[language]
    numbered = "\n".join(f"[{number}] {passage}" for number, passage in enumerate(passages, 1))
    return f"{title}:\n{numbered}\n\n{asking}: {question}"


def reading(rng: random.Random, language: str) -> Turns:
    """Answer a question from passages with a citation, or say that they do not hold the answer."""
    count = rng.choice((1, 1, 2, 2, 3, 4))
    facts = [[fact(rng, language) for _ in range(rng.choice((1, 1, 1, 2)))] for _ in range(count)]
    passages = [" ".join(item.sentence for item in group) for group in facts]
    if rng.random() < 0.25:
        return pair(reading_prompt(passages, fact(rng, language).question, language), NOT_HELD[language])
    number = rng.randrange(count)
    asked = rng.choice(facts[number])
    return pair(reading_prompt(passages, asked.question, language), f"{asked.sentence} [{number + 1}]")


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
