"""An Ask as JSON, for going on with an answer after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from svc_chat.domain.analysis import Table
from svc_chat.domain.service import Ask
from svc_chat.engine.base import Message, Sampling


def to_json(ask: Ask) -> dict[str, Any]:
    """Return the fields of `ask`; headers that let somebody act for the caller are left out."""
    return {name: value for name, value in asdict(ask).items() if name != "bearer"}


def from_json(kept: Mapping[str, Any]) -> Ask:
    """Return the Ask that was kept; fields that this version does not know are ignored."""
    known = {field.name: kept[field.name] for field in fields(Ask) if field.name in kept}
    known["messages"] = tuple(_message(message) for message in kept["messages"])
    known["tools"] = tuple(kept["tools"])
    known["tables"] = tuple(_table(table) for table in kept.get("tables", ()))
    sampling = kept["sampling"]
    known["sampling"] = Sampling(
        **{
            **sampling,
            "stop": tuple(sampling["stop"]),
            "logit_bias": {int(token): bias for token, bias in sampling["logit_bias"].items()},
        }
    )
    return Ask(**known)


def _message(kept: Mapping[str, Any]) -> Message:
    return Message(
        **{**kept, "tool_calls": tuple(kept["tool_calls"]), "images": tuple(kept.get("images", ()))}
    )


def _table(kept: Mapping[str, Any]) -> Table:
    columns, said = (tuple((str(a), str(b)) for a, b in kept[name]) for name in ("columns", "said"))
    return Table(kept["file"], columns, kept["options"], said)
