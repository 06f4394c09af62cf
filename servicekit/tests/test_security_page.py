"""docs/security.md lists what is open, and nothing else is."""

from __future__ import annotations

import re
from pathlib import Path

from servicekit.asgi import OPEN_PATHS

PAGE = Path(__file__).parents[2] / "docs" / "security.md"


def listed(section: str) -> set[tuple[str, str]]:
    """Return (method, path) of the rows of one table."""
    text = PAGE.read_text(encoding="utf-8").split(f"<!-- open: {section} -->")[1].split("<!-- end -->")[0]
    return {(method, path) for method, path in re.findall(r"^\| `([A-Z]+) (\S+)` \|", text, re.MULTILINE)}


def test_the_page_lists_what_services_leave_open() -> None:
    assert listed("services") == {("GET", path) for path in OPEN_PATHS}


def test_the_page_lists_what_the_gateway_leaves_open() -> None:
    from gateway.domain.routing import OPEN

    assert listed("gateway") == set(OPEN)
