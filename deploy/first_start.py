"""Prints the account that the gateway made on its first start, once. Knows the gateway's file only."""

from __future__ import annotations

import json
import os
from typing import Any

from deploy.console import say
from deploy.layout import Layout
from deploy.services import GATEWAY


def show(layout: Layout) -> None:
    """Print link, password and key the first time; afterwards the address and where they were shown."""
    file = layout.data_dir / "gateway" / "first-start.json"
    shown = file.with_name("first-start.shown")
    address = f"{GATEWAY.url(layout)}/"
    if not file.is_file():
        say(
            f"\n    Page and API:  {address}\n    The account comes from OWNER_USERNAME or an earlier start.\n"
        )
        return
    if shown.exists():
        say(f"\n    Page and API:  {address}\n    Password and API key were shown at the first start.\n")
        return
    account = _read(file.read_text(encoding="utf-8"))
    say(
        "\n    Open this link once, it signs you in:\n"
        f"      {account.get('link', address)}\n"
        f"    User      {account.get('username')}\n"
        f"    Password  {account.get('password')}\n"
        f"    API key   {account.get('api_key')}\n"
        "    They are not shown again: keep them.\n"
    )
    os.close(os.open(shown, os.O_CREAT | os.O_WRONLY, 0o600))


def _read(text: str) -> dict[str, Any]:
    content = json.loads(text)
    return content if isinstance(content, dict) else {}
