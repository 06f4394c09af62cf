"""Lists as OpenAI's API has them: which part is asked for, what may be included, how the answer looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import Depends, Query

from svc_chat.api.response_schemas import check_include
from svc_chat.engine.history import Page


def page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(max_length=200)] = None,
    order: Literal["asc", "desc"] = "desc",
) -> Page:
    """Read which part of a list is asked for."""
    return Page(limit, after, order == "desc")


def included(
    include: Annotated[list[str] | None, Query()] = None,
    include_list: Annotated[list[str] | None, Query(alias="include[]")] = None,
) -> None:
    """Check what is to be included, in both spellings; raises BadRequest."""
    check_include([*(include or ()), *(include_list or ())])


def page_both_ways(
    page: Annotated[Page, Depends(page)], before: Annotated[str | None, Query(max_length=200)] = None
) -> Page:
    """Read which part of a list is asked for that can be read backwards as well."""
    return replace(page, before=before)


Asked = Annotated[Page, Depends(page)]
AskedBothWays = Annotated[Page, Depends(page_both_ways)]
INCLUDED = Depends(included)


def listed(rows: Sequence[Mapping[str, Any]], has_more: bool = False) -> dict[str, Any]:
    """Return a list in OpenAI's shape; every row has an `id`."""
    return {
        "object": "list",
        "data": list(rows),
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
        "has_more": has_more,
    }
