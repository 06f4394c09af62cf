"""Pages of lists in SQL, as OpenAI has them: a limit, an order, and the row after or before which to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, tuple_

from servicekit.errors import NotFound
from svc_chat.engine.history import Page


def paged(
    connection: Connection,
    query: Select[Any],
    key: Sequence[Column[Any]],
    page: Page,
    missing: Callable[[str], NotFound],
) -> tuple[Sequence[Row[Any]], bool]:
    """Return the rows of a page and whether there are more beyond it.

    `key` orders the rows; its last column is the id that cursors name. Raises `missing(id)` for an unknown cursor.
    """
    for cursor, backwards in ((page.after, False), (page.before, True)):
        if cursor is not None:
            last = _row(connection, query, key, cursor)
            if last is None:
                raise missing(cursor)
            query = query.where(_beyond(key, last, page.newest_first != backwards))
    turned = page.before is not None and page.after is None
    order = [c.desc() if page.newest_first != turned else c.asc() for c in key]
    rows = connection.execute(query.order_by(*order).limit(page.limit + 1)).all()
    kept = rows[: page.limit]
    return (kept[::-1] if turned else kept), len(rows) > page.limit


def _row(
    connection: Connection, query: Select[Any], key: Sequence[Column[Any]], cursor: str
) -> Row[Any] | None:
    wanted = query.with_only_columns(*key).where(key[-1] == cursor)
    return connection.execute(wanted).first()


def _beyond(key: Sequence[Column[Any]], last: Row[Any], descending: bool) -> ColumnElement[bool]:
    here, there = tuple_(*key), tuple_(*last)
    return here < there if descending else here > there
