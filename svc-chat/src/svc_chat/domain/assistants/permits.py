"""What lets a run act for its caller longer than its call: kept with the run, and sealed, so that a restart finds it."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from svc_chat.engine.seal import Seal
from svc_chat.engine.threads import StoredRun
from svc_chat.engine.tools_base import Bearer, Delegation

FIELD = "_permit"
"""Where it lies in the run."""
_OPEN = "_delegated"
"""Where runs have it, unsealed, that began with an older version."""


class Permits:
    """Asks for permissions, and keeps them sealed."""

    def __init__(self, delegation: Delegation, seal: Seal):
        self._delegation, self._seal = delegation, seal

    async def sealed(self, run_id: str, bearer: Bearer, seconds: float) -> str | None:
        """Return a permission for `seconds` as it may be written down; None when there can be none."""
        headers = await self._delegation.for_work(bearer, seconds)
        if headers is None:
            return None
        return await asyncio.to_thread(self._seal.close, orjson.dumps(dict(headers)).decode(), run_id)

    async def opened(self, run: StoredRun) -> Bearer | None:
        """Return what is kept with a run; None when there is nothing, or it was sealed with a key that is gone."""
        if not run.body.get(FIELD):
            return run.body.get(_OPEN)
        text = await asyncio.to_thread(self._seal.open, run.body[FIELD], run.id)
        return None if text is None else dict(orjson.loads(text))


def forget(body: dict[str, Any]) -> None:
    """Remove it from a run that has ended."""
    for name in (FIELD, _OPEN):
        body.pop(name, None)
