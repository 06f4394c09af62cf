"""Tables of the data-analysis family: made-up files, columns and cells, and how a model is told of them.

The wording is svc-chat's (`svc_chat.domain.analysis`), repeated here because the miniatures import no
service; a test holds both equal. A tenth of all words is kept out of training, by a hash of the word, and
names held-out tables. Knows nothing about what is asked of a table.
"""

from __future__ import annotations

import random
import re
import unicodedata
import zlib
from dataclasses import dataclass
from functools import cache

from miniatures.text import words

PYTHON = "python"
PYTHON_TEXT = "Run Python code on the user's files with pandas and matplotlib."
FILES_TITLE = "Files, how to read them and their columns:"
NAMED_TITLE = "Named here:"


def _words(text: str) -> list[str]:
    return text.split()


KNOWN_FILES = {
    "en": _words(
        "sales orders data products customers expenses students report prices weather table inventory budget"
    ),
    "pt": _words(
        "vendas pedidos dados produtos clientes despesas alunos relatório preços tempo tabela estoque notas"
    ),
}
KNOWN_COLUMNS = {
    "number": {
        "en": _words(
            "amount price quantity total value age cost score units revenue weight profit temperature"
        ),
        "pt": _words("valor preço quantidade total idade custo nota unidades receita peso lucro faturamento"),
    },
    "text": {
        "en": _words("region month category city product country store name date year department seller"),
        "pt": _words("região mês categoria cidade produto país loja nome data ano setor vendedor"),
    },
}
_ENDINGS = (".csv",) * 8 + (".txt", ".tsv", ".CSV")
_OPTIONS = ("",) * 14 + (
    ", sep=';'", ", sep=';', decimal=','", ", sep=';', decimal=','", ", sep=';', decimal=',', encoding='latin-1'",
    ", sep=';', decimal=',', thousands='.'", ", sep='\\t'", ", encoding='latin-1'", ", sep='|'",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """A file of rows and named columns; `options` follow its name where pandas reads it."""

    file: str
    columns: tuple[tuple[str, str], ...]
    options: str = ""

    @property
    def read(self) -> str:
        """The expression that reads it."""
        return f"pd.read_csv({self.file!r}{self.options})"

    def named(self, kind: str) -> list[str]:
        """Return the names of the columns of a kind, "number" or "text"."""
        return [name for name, its in self.columns if its == kind]


def _line(table: Table, columns: tuple[tuple[str, str], ...]) -> str:
    told = ", ".join(f"{name!r} ({kind})" for name, kind in columns)
    return f"{table.read}: {told}" if told else table.read


def files_text(tables: list[Table]) -> str:
    """Return what the system's turn says of the files."""
    return "\n".join((FILES_TITLE, *(_line(one, one.columns) for one in tables)))


def with_named(text: str, tables: list[Table]) -> str:
    """Return what a user says, and below it the files and columns that it names, as the chat service finds them."""
    left = _folded(text)
    places: dict[str, int] = {}
    names = {_folded(name) for one in tables for name in (one.file, *(column for column, _ in one.columns))}
    for name in sorted(names, key=lambda n: (-len(n), n)):
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        if found := pattern.search(left):
            places[name] = found.start()
            left = pattern.sub(lambda its: "\0" * len(its[0]), left)
    named = [tuple(column for column in one.columns if _folded(column[0]) in places) for one in tables]
    by_file = [_folded(one.file) in places for one in tables]
    most = max(map(len, named), default=0)
    lines = [
        _line(one, tuple(sorted(its, key=lambda column: places[_folded(column[0])])))
        for one, its, is_named in zip(tables, named, by_file, strict=True)
        if is_named or (most and not any(by_file) and len(its) == most)
    ]
    return "\n".join((f"{text}\n\n{NAMED_TITLE}", *lines)) if lines else text


def _folded(text: str) -> str:
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return plain.lower().replace("_", " ")


@cache
def _seen() -> frozenset[str]:
    """Return the words that training shows by name, whatever their hash."""
    columns = [word for kinds in KNOWN_COLUMNS.values() for listed in kinds.values() for word in listed]
    files = [word for listed in KNOWN_FILES.values() for word in listed]
    months = [month for listed in words.MONTHS.values() for month in listed]
    return frozenset(word.lower() for word in (*columns, *files, *months, *words.CITIES, *words.PEOPLE))


def is_held_out(word: str) -> bool:
    """Say whether a word names only held-out tables."""
    return zlib.crc32(word.lower().encode()) % 10 == 0


def _word(rng: random.Random, language: str, held_out: bool) -> str:
    while True:
        word = words.made_up(rng, capital=False) if rng.random() < 0.3 else words.common_word(rng, language)
        if is_held_out(word) == held_out and not (held_out and word in _seen()):
            return word


def name(rng: random.Random, language: str, known: list[str], held_out: bool = False) -> str:
    """Make up a name of a file or column: one word or two, in one of the ways in which people write names."""
    made = [_word(rng, language, held_out) for _ in range(rng.choice((1, 1, 1, 1, 2)))]
    if not held_out and rng.random() < 0.3:
        made[0] = rng.choice(known)
    if rng.random() < 0.08:
        made.append(str(rng.choice((rng.randint(1, 99), rng.randint(1990, 2030)))))
    joined = rng.choice("___ ").join(made)
    style = rng.random()
    if style < 0.12:
        return joined.capitalize()
    if style < 0.2:
        return joined.upper()
    return "".join(part.capitalize() for part in joined.split("_")) if style < 0.25 else joined


def table(rng: random.Random, held_out: bool = False, language: str = "") -> Table:
    """Make up a table with one to three columns of numbers and one to three of text."""
    language = language or rng.choice(("en", "pt"))
    file = name(rng, language, KNOWN_FILES[language], held_out).replace(" ", rng.choice("_- "))
    numbers, texts = rng.choice((1, 1, 1, 2, 2, 3)), rng.choice((1, 1, 1, 2, 2, 3))
    kinds = ["number"] * numbers + ["text"] * texts
    rng.shuffle(kinds)
    columns: dict[str, str] = {}
    for kind in kinds:
        while (made := name(rng, language, KNOWN_COLUMNS[kind][language], held_out)).lower() in map(
            str.lower, columns
        ):
            pass
        columns[made] = kind
    return Table(file + rng.choice(_ENDINGS), tuple(columns.items()), rng.choice(_OPTIONS))


def label(rng: random.Random, language: str, held_out: bool = False) -> str:
    """Make up the content of a cell of text: what rows are grouped by."""
    if not held_out and rng.random() < 0.2:
        return rng.choice(
            (
                words.city(rng),
                words.person(rng),
                rng.choice(words.MONTHS[language]),
                str(rng.randint(1, 2030)),
            )
        )
    made = " ".join(_word(rng, language, held_out) for _ in range(rng.choice((1, 1, 1, 2))))
    return made.capitalize() if rng.random() < 0.5 else made


def quantity(rng: random.Random) -> str:
    """Return a number as Python prints it: whole or with one or two decimals, seldom negative."""
    sign = "-" if rng.random() < 0.06 else ""
    whole = rng.randrange(rng.choice((10, 100, 1000, 1000, 10_000, 1_000_000)))
    kind = rng.random()
    if kind < 0.4:
        return f"{sign}{whole}"
    return f"{sign}{whole + rng.randrange(100) / 100}" if kind < 0.8 else f"{sign}{float(whole)}"
