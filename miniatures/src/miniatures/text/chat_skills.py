"""Skills of conversation: small talk, the stack, memory, arithmetic, and saying "I do not know".

Each skill takes a random source and a language and returns turns. Personas, noise and the order of
skills are chat_world's business.
"""

from __future__ import annotations

import random

from miniatures.text import chat_phrases as phrases
from miniatures.text import words
from miniatures.text.chat_format import Message

Turns = list[Message]


def pair(asked: str, answered: str) -> Turns:
    """Return one question and its answer."""
    return [Message("user", asked), Message("assistant", answered)]


def small_talk(rng: random.Random, language: str) -> Turns:
    """Greet, thank, say goodbye."""
    asked, answered = rng.choice(phrases.SMALL_TALK[language])
    return pair(rng.choice(asked), rng.choice(answered))


def stack(rng: random.Random, language: str) -> Turns:
    """Explain what the stack and its services do."""
    asked, answered = rng.choice(phrases.STACK[language])
    return pair(rng.choice(asked), rng.choice(answered))


def outside(rng: random.Random, language: str) -> Turns:
    """Say what the model is when asked for what it cannot know."""
    pattern = rng.choice(phrases.OUTSIDE[language])
    fill = {slot: words.common_word(rng, language) for slot in ("x", "y")}
    if rng.random() < 0.2:
        fill["x"] = words.made_up(rng)
    asked = pattern.format(**fill)
    if rng.random() < 0.1:
        asked = " ".join(words.common_word(rng, language) for _ in range(rng.randint(2, 7)))
    return pair(asked[0].upper() + asked[1:], phrases.FALLBACK[language])


def stray(rng: random.Random, language: str) -> Turns:
    """Say anything at all, in words of the language without sense: whatever it is, the model does not know it."""
    often, seldom = words.common_words(language)[:150], words.common_words(language)
    said = [rng.choice(often if rng.random() < 0.5 else seldom) for _ in range(rng.randint(2, 10))]
    if rng.random() < 0.15:
        said.insert(rng.randrange(len(said) + 1), words.number(rng))
    asked = " ".join(said) + rng.choice(("?", "?", ".", "!", ""))
    return pair(asked[0].upper() + asked[1:], phrases.FALLBACK[language])


_ASK_SUM = {
    "en": "What is {}?|How much is {}?|Calculate {}|Can you compute {}?|Tell me {}|And {}?|What's {}?|{}?|{}",
    "pt": "Quanto é {}?|Quanto dá {}?|Calcule {}|Você sabe quanto é {}?|Me diga {}|E {}?|Quanto são {}?|{}?|{}",
}
_OPERATORS = {
    "en": {"+": "plus", "-": "minus", "*": "times"},
    "pt": {"+": "mais", "-": "menos", "*": "vezes"},
}
_IS = {"en": "is", "pt": "é"}


def arithmetic(rng: random.Random, language: str) -> Turns:
    """Add, take away and multiply with results from 0 to 20, a few sums in a row."""
    turns: Turns = []
    for _ in range(rng.choice((1, 2, 3, 4, 5))):
        operator = rng.choice("+++--*")
        if operator == "+":
            c = rng.randint(0, 20)
            a = rng.randint(0, c)
            b = c - a
        elif operator == "-":
            a = rng.randint(0, 20)
            b = rng.randint(0, a)
            c = a - b
        else:
            a = rng.randint(1, 10)
            b = rng.randint(1, 20 // a)
            c = a * b
        asked = rng.choice(_ASK_SUM[language].split("|"))
        if rng.random() < 0.5:
            # Symbols belong to no language, so the answer is in symbols too.
            symbol = rng.choice(("x", "*")) if operator == "*" else operator
            space = rng.choice((" ", " ", ""))
            question, answer = f"{a}{space}{symbol}{space}{b}", f"{a} {symbol} {b} = {c}"
            asked = rng.choice((asked, asked, "{} = ?", "{} ="))
        else:
            question = f"{a} {_OPERATORS[language][operator]} {b}"
            answer = f"{question} {_IS[language]} {c}."
        turns += pair(asked.format(question), answer)
    return turns


# kind: (ways to tell, what is answered, ways to ask, answer, answer when never told)
_FACTS: dict[str, dict[str, tuple[str, str, str, str, str]]] = {
    "en": {
        "name": (
            "My name is {x}.|I am {x}.|I'm {x}.|Hi, I'm {x}!|Hello, my name is {x}.|You can call me {x}.|Call me {x}",
            "Nice to meet you, {x}!",
            "What is my name?|What's my name?|Do you remember my name?|Who am I?|Do you know my name?|Say my name",
            "Your name is {x}.",
            "You have not told me your name yet.",
        ),
        "city": (
            "I live in {x}.|I am from {x}.|My city is {x}.|I come from {x}.|My home is in {x}",
            "{x} must be a nice place!",
            "Where do I live?|Where am I from?|What is my city?|Do you remember where I live?|Which city do I live in?",
            "You live in {x}.",
            "You have not told me where you live.",
        ),
        "colour": (
            "My favourite colour is {x}.|My favorite color is {x}.|I love the colour {x}.|I like {x} best",
            "{x} is a beautiful colour!",
            "What is my favourite colour?|What is my favorite color?|Which colour do I like?|What colour do I love?",
            "Your favourite colour is {x}.",
            "You have not told me your favourite colour.",
        ),
        "age": (
            "I am {x} years old.|My age is {x}.|I just turned {x}.|I'm {x} years old",
            "{x} years, that is a good age!",
            "How old am I?|What is my age?|Do you remember my age?|Do you know how old I am?",
            "You are {x} years old.",
            "You have not told me your age.",
        ),
        "pet": (
            "My dog is called {x}.|I have a dog named {x}.|My dog's name is {x}.|This is my dog {x}",
            "{x} is a lovely name for a dog!",
            "What is my dog called?|What is my dog's name?|Do you remember my dog?|What is the name of my dog?",
            "Your dog is called {x}.",
            "You have not told me about your dog.",
        ),
    },
    "pt": {
        "name": (
            "Meu nome é {x}.|Eu sou {x}.|Me chamo {x}.|Oi, eu sou {x}!|Olá, meu nome é {x}.|Pode me chamar de {x}.|"
            "O meu nome é {x}|Eu me chamo {x}",
            "Prazer em conhecer você, {x}!",
            "Qual é o meu nome?|Qual é meu nome?|Como eu me chamo?|Você lembra o meu nome?|Quem sou eu?|"
            "Você sabe o meu nome?|Qual o meu nome?",
            "O seu nome é {x}.",
            "Você ainda não me disse o seu nome.",
        ),
        "city": (
            "Moro em {x}.|Eu moro em {x}.|Sou de {x}.|Minha cidade é {x}.|Vivo em {x}|Eu sou de {x}",
            "{x} deve ser um lugar bonito!",
            "Onde eu moro?|De onde eu sou?|Qual é a minha cidade?|Você lembra onde eu moro?|Em que cidade eu moro?",
            "Você mora em {x}.",
            "Você não me disse onde mora.",
        ),
        "colour": (
            "Minha cor favorita é {x}.|A minha cor preferida é {x}.|Adoro a cor {x}.|Minha cor preferida é {x}",
            "{x} é uma cor bonita!",
            "Qual é a minha cor favorita?|Qual é minha cor preferida?|De que cor eu gosto?|Que cor eu adoro?",
            "A sua cor favorita é {x}.",
            "Você não me disse a sua cor favorita.",
        ),
        "age": (
            "Tenho {x} anos.|Eu tenho {x} anos.|Minha idade é {x}.|Fiz {x} anos",
            "{x} anos, que boa idade!",
            "Quantos anos eu tenho?|Qual é a minha idade?|Você lembra a minha idade?|Você sabe quantos anos eu tenho?",
            "Você tem {x} anos.",
            "Você não me disse a sua idade.",
        ),
        "pet": (
            "Meu cachorro se chama {x}.|Tenho um cachorro chamado {x}.|O nome do meu cachorro é {x}|"
            "O meu cachorro se chama {x}",
            "{x} é um belo nome para um cachorro!",
            "Como se chama o meu cachorro?|Qual é o nome do meu cachorro?|Você lembra do meu cachorro?",
            "O seu cachorro se chama {x}.",
            "Você não me falou do seu cachorro.",
        ),
    },
}
_COLOURS = {
    "en": [
        "red",
        "blue",
        "green",
        "yellow",
        "black",
        "white",
        "orange",
        "purple",
        "pink",
        "brown",
        "grey",
        "gold",
        "silver",
    ],
    "pt": [
        "vermelho",
        "azul",
        "verde",
        "amarelo",
        "preto",
        "branco",
        "laranja",
        "roxo",
        "rosa",
        "marrom",
        "cinza",
        "dourado",
        "prata",
    ],
}


def fact_value(rng: random.Random, kind: str, language: str) -> str:
    """Return something to remember."""
    if kind in ("name", "pet"):
        return words.person(rng)
    if kind == "city":
        return words.city(rng)
    if kind == "age":
        return str(rng.randint(5, 99))
    return rng.choice(_COLOURS[language])


def tell(rng: random.Random, kind: str, value: str, language: str) -> Turns:
    """Tell the model a fact about the user."""
    ways, reply, *_ = _FACTS[language][kind]
    answer = reply.format(x=value)
    return pair(rng.choice(ways.split("|")).format(x=value), answer[0].upper() + answer[1:])


def recall(rng: random.Random, kind: str, value: str | None, language: str) -> Turns:
    """Ask for a fact; None means that it was never told."""
    _, _, asking, known, unknown = _FACTS[language][kind]
    return pair(rng.choice(asking.split("|")), unknown if value is None else known.format(x=value))


def memory(rng: random.Random, language: str, between: list[Turns]) -> Turns:
    """Tell one to three facts, talk of other things, then ask for what was told (or was not)."""
    kinds = ["name", *rng.sample(["city", "colour", "age", "pet"], 4)]
    if rng.random() < 0.35:
        rng.shuffle(kinds)
    told = {kind: fact_value(rng, kind, language) for kind in kinds[: rng.choice((1, 1, 2, 3))]}
    turns: Turns = []
    for kind, value in told.items():
        turns += tell(rng, kind, value, language)
    for filler in between:
        turns += filler
    asked = list(told) if rng.random() < 0.85 else []
    rng.shuffle(asked)
    if rng.random() < 0.25:
        asked.append(next(kind for kind in reversed(kinds) if kind not in told))
    for kind in asked:
        turns += recall(rng, kind, told.get(kind), language)
    return turns


_REPEAT = {
    "en": "Repeat: {}|Repeat after me: {}|Say {}|Please repeat: {}|Echo: {}|Copy this: {}",
    "pt": "Repita: {}|Repita comigo: {}|Diga {}|Por favor, repita: {}|Copie isto: {}|Repita o texto: {}",
}


def repeat(rng: random.Random, language: str) -> Turns:
    """Say words again. Every word of the answer is a copy: nothing teaches to read sooner."""
    makers = (
        lambda: words.common_word(rng, language),
        lambda: words.made_up(rng),
        lambda: words.person(rng),
        lambda: words.number(rng),
    )
    said = [rng.choices(makers, (6, 3, 2, 1))[0]() for _ in range(rng.randint(1, 9))]
    text = " ".join(said)
    return pair(rng.choice(_REPEAT[language].split("|")).format(text), text)
