"""Names, places and words that the text generators fill their sentences with.

Owns the lists and the ways to make up a word; knows nothing about dialogues or translation.
Made-up words matter: a model can only learn to *copy* a value that it cannot have memorised.
"""

from __future__ import annotations

import random
from functools import cache

PEOPLE = [
    "Ana",
    "João",
    "Maria",
    "Pedro",
    "Lucas",
    "Júlia",
    "Mariana",
    "Gabriel",
    "Rafael",
    "Beatriz",
    "Carla",
    "Paulo",
    "Felipe",
    "Camila",
    "Bruno",
    "Larissa",
    "Fernanda",
    "Tiago",
    "Sofia",
    "Miguel",
    "Helena",
    "Davi",
    "Laura",
    "Artur",
    "Alice",
    "Bernardo",
    "Isabela",
    "Caio",
    "Luana",
    "Rita",
    "José",
    "Antônio",
    "Francisco",
    "Carlos",
    "Marcos",
    "Daniel",
    "Eduardo",
    "Renata",
    "Patrícia",
    "Aline",
    "Sandra",
    "Roberto",
    "Sérgio",
    "Vitória",
    "Clara",
    "Cecília",
    "Mary",
    "John",
    "Emma",
    "Oliver",
    "Liam",
    "Noah",
    "Grace",
    "Emily",
    "James",
    "Sarah",
    "Peter",
    "Lucy",
    "Tom",
    "Kate",
    "Henry",
    "Jack",
    "Ruby",
    "Leo",
    "Mia",
    "Ethan",
    "Chloe",
    "Adam",
    "Nina",
    "Oscar",
    "Hannah",
    "Simon",
    "Martha",
    "Walter",
    "Alan",
    "Ada",
    "Grete",
    "Ivan",
    "Yuki",
    "Omar",
    "Fatima",
    "Chen",
    "Priya",
    "Diego",
    "Lola",
]

CITIES = [
    "Recife",
    "São Paulo",
    "Curitiba",
    "Salvador",
    "Manaus",
    "Fortaleza",
    "Belém",
    "Brasília",
    "Porto Alegre",
    "Natal",
    "Goiânia",
    "Campinas",
    "Rio de Janeiro",
    "Belo Horizonte",
    "Vitória",
    "Florianópolis",
    "Santos",
    "Niterói",
    "Olinda",
    "Lisbon",
    "London",
    "Paris",
    "Madrid",
    "Rome",
    "Berlin",
    "Tokyo",
    "Boston",
    "Chicago",
    "Dublin",
    "Toronto",
    "Lima",
    "Quito",
    "Oslo",
    "Cairo",
    "Delhi",
    "Sydney",
    "Austin",
    "Seattle",
    "Denver",
    "Leeds",
]

WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "pt": (
        "segunda-feira",
        "terça-feira",
        "quarta-feira",
        "quinta-feira",
        "sexta-feira",
        "sábado",
        "domingo",
    ),
}
MONTHS = {
    "en": (
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ),
    "pt": (
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ),
}

_STARTS = [
    "b",
    "c",
    "d",
    "f",
    "g",
    "j",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "z",
    "br",
    "cl",
    "cr",
    "dr",
    "fl",
    "gr",
    "pl",
    "pr",
    "st",
    "tr",
    "ch",
    "nh",
    "lh",
    "qu",
    "k",
]
_VOWELS = ["a", "e", "i", "o", "u", "a", "e", "o", "ia", "io", "ei", "ou", "ã", "é"]
_ENDS = ["", "", "", "n", "r", "s", "l", "x", "m", "z"]


def made_up(rng: random.Random, *, capital: bool = True) -> str:
    """Return a pronounceable word of two or three syllables that means nothing."""
    word = "".join(rng.choice(_STARTS) + rng.choice(_VOWELS) for _ in range(rng.randint(2, 3)))
    word += rng.choice(_ENDS)
    return word.capitalize() if capital else word


def person(rng: random.Random, invented: float = 0.1) -> str:
    """Return a first name; a share of them, one in ten, is made up, so that names must be copied."""
    return made_up(rng) if rng.random() < invented else rng.choice(PEOPLE)


def city(rng: random.Random, invented: float = 0.1) -> str:
    """Return a place name; a share of them, one in ten, is made up."""
    return made_up(rng) if rng.random() < invented else rng.choice(CITIES)


@cache
def common_words(language: str, count: int = 5000) -> tuple[str, ...]:
    """Return frequent words of a language, most frequent first (the wordfreq package's list)."""
    from wordfreq import top_n_list

    return tuple(word for word in top_n_list(language, count * 2) if word.isalpha() and len(word) > 1)[:count]


def common_word(rng: random.Random, language: str) -> str:
    """Return a content-like word: frequent, and at least four letters long."""
    words = common_words(language)
    while len(word := rng.choice(words)) < 4:
        pass
    return word


def number(rng: random.Random) -> str:
    """Return a number of one to four digits, short ones more often."""
    top = rng.choice((10, 31, 100, 100, 1000, 10000))
    return str(rng.randrange(2, top))
