"""Skill of reading: answer from numbered passages.

An answer cites a passage and repeats its sentence, in this order: choosing a number is one step
and copying on from it another, and a small model learns two steps sooner than their sum. Values,
names and many of the attributes are random, so that reading is the only way to answer.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from miniatures.scenes import grammar
from miniatures.scenes.model import COLOURS
from miniatures.text import words
from miniatures.text.chat_format import Message
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
    """One sentence of a passage, the questions that it answers, and what it is about.

    Two facts with one `topic` could answer the same question; a passage never holds both.
    """

    sentence: str
    questions: tuple[str, ...]
    topic: tuple[str, str]


def _value(rng: random.Random, kind: str, language: str) -> str:
    if kind == "price":
        unit: tuple[str, ...] = {"en": ("dollars", "euros", "reais"), "pt": ("reais", "euros", "dólares")}[
            language
        ]
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


def _loose_fact(rng: random.Random, language: str, least: int = 4, most: int = 10) -> Fact:
    """Make up a sentence of random words, found again by one or two of them."""
    said = [words.common_word(rng, language) for _ in range(rng.randint(least, most))]
    start = rng.randrange(len(said) - 1)
    key = " ".join(said[start : start + rng.choice((1, 2, 2))])
    text = " ".join(said)
    return Fact(
        f"{text[0].upper()}{text[1:]}.",
        tuple(_ask(pattern, k=key) for pattern in _ABOUT[language]),
        (key, key),
    )


def _ask(pattern: str, **values: str) -> str:
    asked = pattern.format(**values)
    return asked[0].upper() + asked[1:]


def fact(rng: random.Random, language: str, subjects: tuple[str, ...] = ()) -> Fact:
    """Make up one fact, about one of the subjects where some are given."""
    kind = rng.random()
    subject = rng.choice(subjects) if subjects else _subject(rng, language)
    if kind < 0.2:
        sentence, asked = _FREE[language]
        attribute = words.common_word(rng, language)
        value = _value(rng, rng.choice(("word", "person", "count", "place", "date")), language)
        questions = tuple(_ask(pattern, a=attribute, s=subject) for pattern in asked)
        return Fact(sentence.format(v=value, a=attribute, s=subject), questions, (attribute, subject))
    if kind < 0.4:
        return _loose_fact(rng, language)
    pattern = rng.choice(_PATTERNS[language])
    value_kind, _, rest = pattern.partition(": ")
    statement, *asked_list = rest.split("|")
    return Fact(
        statement.format(s=subject, v=_value(rng, value_kind, language)),
        tuple(_ask(pattern, s=subject) for pattern in asked_list),
        (statement, subject),
    )


def reading_prompt(passages: list[str], question: str, language: str) -> str:
    """Return the user's message that carries numbered passages and a question."""
    title, asking = _LABELS[language]
    numbered = "\n".join(f"[{number}] {passage}" for number, passage in enumerate(passages, 1))
    return f"{title}:\n{numbered}\n\n{asking}: {question}"


def _facts(rng: random.Random, language: str, count: int) -> list[Fact]:
    """Make up facts on different topics; often they share subjects, so that one word does not choose."""
    few = tuple(_subject(rng, language) for _ in range(rng.choice((1, 2)))) if rng.random() < 0.4 else ()
    made: list[Fact] = []
    while len(made) < count:
        another = fact(rng, language, few if rng.random() < 0.8 else ())
        if all(another.topic != one.topic for one in made):
            made.append(another)
    return made


def _missing(rng: random.Random, language: str, facts: list[Fact]) -> Fact:
    """Make up a fact that is not among those given, now and then about a subject that is."""
    subjects = tuple(one.topic[1] for one in facts) if rng.random() < 0.4 else ()
    known = {one.topic for one in facts}
    while True:
        lost = fact(rng, language, subjects)
        if lost.topic not in known:
            return lost


def reading(rng: random.Random, language: str) -> Turns:
    """Answer questions from passages with a citation, or say that they do not hold the answer."""
    sizes = [rng.choice((1, 1, 1, 2)) for _ in range(rng.choice((1, 2, 2, 3, 3, 4)))]
    facts = _facts(rng, language, sum(sizes))
    numbers = [number for number, size in enumerate(sizes, 1) for _ in range(size)]
    passages = [
        " ".join(one.sentence for one, at in zip(facts, numbers, strict=True) if at == number)
        for number in range(1, len(sizes) + 1)
    ]
    asked = rng.sample(list(zip(facts, numbers, strict=True)), min(len(facts), rng.choice((1, 1, 2, 3))))
    turns: Turns = []
    for one, number in asked:
        question, answer = rng.choice(one.questions), f"[{number}] {one.sentence}"
        if rng.random() < 0.25:
            question, answer = rng.choice(_missing(rng, language, facts).questions), NOT_HELD[language]
        turns += pair(question, answer)
    turns[0] = Message("user", reading_prompt(passages, turns[0].text, language))
    return turns


def lookup(rng: random.Random, language: str) -> Turns:
    """Find the line that holds a word, several times over: reading at its barest, to begin with."""
    facts = [_loose_fact(rng, language, 2, 5) for _ in range(rng.randint(2, 5))]
    turns: Turns = []
    for number, one in rng.sample(list(enumerate(facts, 1)), len(facts)):
        turns += pair(rng.choice(one.questions[-5:] + (one.topic[0],)), f"[{number}] {one.sentence}")
    turns[0] = Message("user", reading_prompt([one.sentence for one in facts], turns[0].text, language))
    return turns
