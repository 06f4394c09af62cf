"""Spreadsheets and CSV: every row becomes one line that names its columns.

A row that reads "City: Recife; Population: 1488920." answers questions that a bare row of numbers
cannot. Knows nothing about chunks.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from svc_rag.engine.base import ParsedDocument
from svc_rag.engine.parsers.archive_guard import check_archive
from svc_rag.engine.parsers.limits import ParseLimits
from svc_rag.engine.parsers.plain import read_text
from svc_rag.engine.parsers.text_cleaning import join_pages
from svc_rag.errors import DocumentTooComplex, DocumentUnreadable


def row_text(header: Sequence[str], cells: Sequence[str]) -> str:
    """Return "column: value; …" for the cells that hold something."""
    named = []
    for index, cell in enumerate(cells):
        value = " ".join(cell.split())
        if value:
            name = " ".join(header[index].split()) if index < len(header) else ""
            named.append(f"{name}: {value}" if name else value)
    return "; ".join(named)


def parse_csv(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Read comma, semicolon or tab separated rows; the first row names the columns."""
    text = read_text(path)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(2**20)
    try:
        rows = list(_limited(csv.reader(io.StringIO(text, newline=""), dialect), limits))
    except csv.Error as exc:
        raise DocumentUnreadable("The CSV file cannot be read.", param="file") from exc
    return join_pages("", ["\n\n".join(_lines(rows))], limits)


def parse_xlsx(path: Path, limits: ParseLimits) -> ParsedDocument:
    """Read the values of every sheet; a sheet is a page."""
    check_archive(path, limits)
    try:
        # A file object, because openpyxl judges a path by its extension and ours has none.
        with path.open("rb") as file:
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
            budget = _CellBudget(limits.max_cells)
            sheets = (_sheet_text(sheet, budget) for sheet in workbook.worksheets)
            return join_pages(workbook.properties.title or "", sheets, limits)
    except (
        ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, SyntaxError,
        zipfile.BadZipFile, InvalidFileException,
    ) as exc:  # fmt: skip
        raise DocumentUnreadable("The Excel file is damaged.", param="file") from exc


class _CellBudget:
    """Counts cells over all sheets; a sheet may claim a million empty ones."""

    def __init__(self, left: int):
        self._limit = self._left = left

    def spend(self, cells: int) -> None:
        self._left -= cells
        if self._left < 0:
            raise DocumentTooComplex(f"The file has more than {self._limit} cells; split it.")


def _sheet_text(sheet: Any, budget: _CellBudget) -> str:
    rows = []
    for row in sheet.iter_rows(values_only=True):
        budget.spend(max(len(row), 1))
        cells = ["" if value is None else str(value) for value in row]
        if any(cells):
            rows.append(cells)
    return f"{sheet.title}\n\n" + "\n\n".join(_lines(rows)) if rows else ""


def _limited(rows: Iterable[list[str]], limits: ParseLimits) -> Iterator[list[str]]:
    budget = _CellBudget(limits.max_cells)
    for row in rows:
        budget.spend(max(len(row), 1))
        if any(cell.strip() for cell in row):
            yield row


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield " | ".join(" ".join(cell.split()) for cell in rows[0] if cell.strip())
    for row in rows[1:]:
        if text := row_text(rows[0], row):
            yield text
