"""Prints the gateway's one-time link, and the account it made on its first start, once.

Knows the gateway's two files, `link.json` (of every start) and `first-start.json`, and nothing else.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from deploy.console import say
from deploy.layout import Layout
from deploy.services import GATEWAY


def show(layout: Layout) -> None:
    """Print the link, and password and key the first time; afterwards say that they were shown."""
    folder = layout.data_dir / "gateway"
    first, shown = folder / "first-start.json", folder / "first-start.shown"
    link = _read(folder / "link.json").get("link", f"{GATEWAY.url(layout)}/")
    say(f"\n    Open this link once, it signs you in:\n      {link}")
    say(f"    Page and API  {GATEWAY.url(layout)}/")
    if not first.is_file():
        say("    The account is the one of OWNER_USERNAME or of an earlier start.\n")
        return
    if shown.exists():
        say("    Password and API key were shown at the first start.\n")
        return
    account = _read(first)
    say(f"    User          {account.get('username')}")
    say(f"    Password      {account.get('password')}")
    say(f"    API key       {account.get('api_key')}")
    say("    Password and key are not shown again: keep them.\n")
    os.close(os.open(shown, os.O_CREAT | os.O_WRONLY, 0o600))


def _read(file: Path) -> dict[str, str]:
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return content if isinstance(content, dict) else {}
