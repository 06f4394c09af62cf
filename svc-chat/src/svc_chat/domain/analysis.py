"""How a model is told of tables that it may compute with: the words, and what is read from a file's beginning.

Owns the exact wording, which the built-in miniature was trained on (`miniatures.text.tables` repeats it; a
test holds both equal). Knows nothing about who runs the code or where files lie. Pure.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from ast import literal_eval
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

PYTHON = "python"
"""Name of the function that runs code; its one argument is `code`."""
PYTHON_TEXT = "Run Python code on the user's files with pandas and matplotlib."
FILES_TITLE = "Files, how to read them and their columns:"
NAMED_TITLE = "Named here:"
_SEPARATORS = (",", ";", "\t", "|")
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?\d+(,\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?")
_LINES_READ = 200


@dataclass(frozen=True)
class Table:
    """A file of rows and named columns, each of "number" or "text"; `options` follow the name in `read_csv`."""

    file: str
    columns: tuple[tuple[str, str], ...]
    options: str = ""
    said: tuple[tuple[str, str], ...] = ()
    """Columns of text with those of their cells that a question holds, as far as that was looked for."""

    @property
    def read(self) -> str:
        """The expression that reads the file."""
        return f"pd.read_csv({self.file!r}{self.options})"

    @property
    def line(self) -> str:
        """Say how pandas reads the file, and what its columns are."""
        return self.line_of(self.columns)

    def line_of(self, columns: Sequence[tuple[str, str]]) -> str:
        """Say the same with some of the columns, or none."""
        told = ", ".join(f"{name!r} ({kind})" for name, kind in columns)
        return self.read + (f": {told}" if told else "")


def computes(tools: Collection[str], system: str) -> bool:
    """Say whether a model is asked to compute with files: it may run code, and is told of them."""
    return PYTHON in tools and FILES_TITLE in system


def files_text(tables: Sequence[Table], others: Sequence[str] = ()) -> str:
    """Return what the system's turn says of the files; empty when there are none. `others` are only named."""
    lines = [table.line for table in tables] + [repr(name) for name in others]
    return "\n".join((FILES_TITLE, *lines)) if lines else ""


def with_named(text: str, tables: Sequence[Table]) -> str:
    """Return what a user says, and below it the files and columns that it names, as code writes them.

    To link the words of a question to the names of a table is a step of its own, which needs no model: a name
    counts in any case, without accents, with spaces for underscores, and the longest first. A file is told of
    if it is named or, where none is, if it has the most of the columns named. Nothing named is nothing said.
    """
    columns = [name for table in tables for name, _ in table.columns]
    lines = _lines_of_named(tables, places_of(text, [*columns, *(table.file for table in tables)]))
    return "\n".join((f"{text}\n\n{NAMED_TITLE}", *lines)) if lines else text


def with_said(table: Table, content: bytes, asked: str) -> Table:
    """Return a table with the cells of its whole `content` that a question holds, found as names are."""
    separator = re.search(r"sep=('.*?')", table.options)
    text, _ = _decoded(content)
    try:
        rows = list(
            csv.DictReader(text.splitlines(), delimiter=literal_eval(separator[1]) if separator else ",")
        )
    except (csv.Error, ValueError):
        return table
    found: list[tuple[str, str]] = []
    for column in (name for name, kind in table.columns if kind == "text"):
        cells = {cell.lower(): cell for row in rows if (cell := row.get(column))}
        places = places_of(asked, list(cells.values()))
        found += [(column, cell) for cell in cells.values() if folded(cell) in places]
    return replace(table, said=tuple(found))


def said(linked: str) -> str:
    """Return what a user says without what `with_named` put below it."""
    return linked.rsplit(f"\n\n{NAMED_TITLE}\n", 1)[0]


def places_of(text: str, names: Sequence[str]) -> dict[str, int]:
    """Return where a text holds names, which are folded in what is returned; the longest count first."""
    left = folded(text)
    places: dict[str, int] = {}
    for name in sorted(set(map(folded, names)), key=lambda n: (-len(n), n)):
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        if name in left and (found := pattern.search(left)):
            places[name] = found.start()
            left = pattern.sub(lambda its: "\0" * len(its[0]), left)
    return places


def _lines_of_named(tables: Sequence[Table], places: dict[str, int]) -> list[str]:
    told = [table for table in tables if folded(table.file) in places]
    named = [[one for one in table.columns if folded(one[0]) in places] for table in tables]
    most = max(map(len, named), default=0)
    if not told and most:
        told = [table for table, its in zip(tables, named, strict=True) if len(its) == most]
    return [
        table.line_of(sorted(its, key=lambda one: places[folded(one[0])]))
        for table, its in zip(tables, named, strict=True)
        if table in told
    ]


def folded(text: str) -> str:
    """Return text without case, accents and underscores; as long as it was, but for letters of other scripts."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return plain.lower().replace("_", " ")


def table_of(file: str, beginning: bytes) -> Table | None:
    """Read separator, decimal mark, encoding and columns from a file's first bytes; None for what is no table.

    A last line that was cut off by whoever read the beginning is left out.
    """
    text, encoding = _decoded(beginning)
    lines = [line for line in text.split("\n")[: _LINES_READ + 1] if line.strip()]
    if len(lines) > 2 and not text.endswith("\n"):
        lines.pop()
    separator = max(_SEPARATORS, key=lines[0].count) if lines else ","
    try:
        head, *rows = csv.reader(lines, delimiter=separator)
    except (csv.Error, ValueError):
        return None
    rows = [row for row in rows if len(row) == len(head)]
    if not rows or "\0" in text or not all(name.strip() for name in head):
        return None
    columns = [[row[place].strip() for row in rows] for place in range(len(head))]
    shapes = _numbers(columns) if separator != "," else (_PLAIN,)
    options = f", sep={separator!r}" if separator != "," else ""
    options += ", decimal=','" if _COMMA in shapes else ""
    options += ", thousands='.'" if _THOUSANDS in shapes else ""
    options += f", encoding={encoding!r}" if encoding else ""
    kinds = ("number" if _are(shapes, cells) else "text" for cells in columns)
    return Table(file, tuple(zip(head, kinds, strict=True)), options)


def _numbers(columns: Sequence[Sequence[str]]) -> tuple[re.Pattern[str], ...]:
    """Return the shapes of the numbers in a file that is not parted by commas; most often with a decimal point.

    `1.234` alone may be either; beside whole numbers without a point (`950`) it is taken for a thousand.
    """
    comma = any(_are((_COMMA,), cells) and not _are((_PLAIN,), cells) for cells in columns)
    plain = _COMMA if comma else _PLAIN
    for cells in columns:
        mixed = _are((_COMMA, _THOUSANDS), cells) and any("." in cell for cell in cells)
        if mixed and (not _are((plain,), cells) or any(cell and "." not in cell for cell in cells)):
            return (_COMMA, _THOUSANDS)
    return (plain,)


def _decoded(beginning: bytes) -> tuple[str, str]:
    """Return the text and the encoding that pandas has to be told; empty for UTF-8."""
    for cut in range(4):  # the beginning may end inside a letter
        try:
            return beginning[: len(beginning) - cut].decode("utf-8-sig"), ""
        except UnicodeDecodeError:
            continue
    return beginning.decode("latin-1"), "latin-1"


def _are(shapes: Sequence[re.Pattern[str]], cells: Sequence[str]) -> bool:
    """Say whether all cells that hold something have one of the shapes, and any holds something."""
    told = [cell for cell in cells if cell]
    return bool(told) and all(any(shape.fullmatch(cell) for shape in shapes) for cell in told)
