"""Reads the settings that name other servers: one address as it is, or several that each have a name of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,31})=(.*)", re.DOTALL)


@dataclass(frozen=True)
class OtherServer:
    """One server. Where it has a name, its models' ids begin with `name/`."""

    url: str
    name: str = ""
    key: str = ""

    def own(self, model_id: str) -> str | None:
        """Return what the server calls a model that is called `model_id` here; None: it is none of its models."""
        if not self.name:
            return model_id
        return model_id.removeprefix(f"{self.name}/") if model_id.startswith(f"{self.name}/") else None


def read_servers(text: str, setting: str, keys: str = "", keys_setting: str = "") -> tuple[OtherServer, ...]:
    """Read `url`, or `name=url,name=url`; `keys` as many, in the same order. Raises ValueError."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    given = [""] * len(entries)
    if keys and entries:
        given = [keys] if len(entries) == 1 else [key.strip() for key in keys.split(",")]
    if len(given) != len(entries):
        raise ValueError(
            f"{keys_setting} has {len(given)} keys and {setting} has {len(entries)} servers; write one key for each, "
            "in the same order, separated by commas (empty between two commas: none)"
        )
    found = []
    for entry, key in zip(entries, given, strict=True):
        named = _NAMED.fullmatch(entry)
        if named is None and len(entries) > 1:
            raise ValueError(
                f"{setting} has {len(entries)} servers, and {entry[:100]!r} has no name; write "
                "name=http://…,other=http://…: the ids of their models begin with it"
            )
        name, url = named.groups() if named is not None else ("", entry)
        found.append(OtherServer(url.strip().rstrip("/"), name, key))
    return tuple(found)


def check_names(servers: tuple[OtherServer, ...]) -> None:
    """Raise ValueError where two servers have one name: their models could not be told apart."""
    names = [server.name for server in servers if server.name]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two servers of OLLAMA_HOST and OPENAI_BASE_URL are called {twice!r}; rename one")
