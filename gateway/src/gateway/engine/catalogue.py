"""The models and the jobs of all services as one list each, whatever hangs."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from gateway.engine.calls import Calls, RelayedError, gather
from gateway.settings import SERVICES
from servicekit.auth import Identity
from servicekit.errors import ModelNotFound, ServiceError
from servicekit.models.registry import listed

BUDGET_S = 0.4
_LIST_BYTES = 2 * 1024 * 1024
"""Longest list that is read: reading it as JSON keeps the event loop for some ten milliseconds."""
_KEEP_S = 60.0
_KEEP_MOST = 500
JOB_SERVICES = SERVICES
"""Services whose work can be a job: installing a model is one everywhere."""

Key = tuple[str, str, str, str, frozenset[str]]
"""Service, path, and whom it was told: account, role and scopes. Not the token, which is another one every minute."""


@dataclass(frozen=True)
class Merged:
    """The entries of all services that answered, and the names of those that could not be asked."""

    entries: list[dict[str, Any]]
    missing: list[str]


class Catalogue:
    """Asks all services in parallel and merges what they say."""

    def __init__(self, calls: Calls):
        self._calls = calls
        self._kept: OrderedDict[Key, tuple[float, Any]] = OrderedDict()
        """The last lists and when they came, oldest first; none is older than `_KEEP_S` after a newer one came."""

    async def models(self, caller: Identity) -> Merged:
        """Return the entries of every service's `/v1/models`, each with its `service`."""
        return await self._merged("/v1/models", caller)

    async def public_models(self, caller: Identity) -> Merged:
        """Return the entries of every service's `/v1/catalogue`."""
        return await self._merged("/v1/catalogue", caller)

    async def model(self, model_id: str, caller: Identity) -> dict[str, Any]:
        """Return one model's entry.

        Raises:
            ModelNotFound: no service that answers has it; the message says what is there.
        """
        entries = (await self.models(caller)).entries
        for entry in entries:
            if entry.get("id") == model_id:
                return entry
        here = listed(str(e.get("id")) for e in entries if not e.get("alias_of"))
        raise ModelNotFound(
            f"There is no model '{model_id[:100]}'. Here are: {here}. GET /v1/models lists all.",
            param="model",
        )

    async def service_of(self, model_id: str, caller: Identity) -> str:
        """Return the service (as in upstream settings) that has a model, installed or in the catalogue."""
        for told in (await self.models(caller), await self.public_models(caller)):
            for entry in told.entries:
                if entry.get("id") == model_id:
                    return str(entry["service"]).removeprefix("svc-")
        raise ModelNotFound(f"No service that answers has a model '{model_id[:100]}'.", param="model")

    async def jobs(self, caller: Identity) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the caller's jobs, newest first, and the services that could not be asked."""

        async def ask(service: str) -> list[dict[str, Any]]:
            try:
                body = await self._calls.json(
                    service, "GET", "/v1/jobs", token=caller.token, timeout_s=BUDGET_S, most_bytes=_LIST_BYTES
                )
            except RelayedError as error:
                if error.status == 404:
                    return []
                raise
            return _entries(body)

        found = await gather(JOB_SERVICES, ask, BUDGET_S)
        jobs = [job for entries in found.values() if isinstance(entries, list) for job in entries]
        missing = [service for service, entries in found.items() if not isinstance(entries, list)]
        return sorted(jobs, key=lambda job: str(job.get("created_at", "")), reverse=True), missing

    async def _merged(self, path: str, caller: Identity) -> Merged:
        async def ask(service: str) -> list[dict[str, Any]]:
            body = await self._calls.json(
                service, "GET", path, token=caller.token, timeout_s=BUDGET_S, most_bytes=_LIST_BYTES
            )
            return _entries(body)

        merged = Merged([], [])
        for service, found in (await gather(SERVICES, ask, BUDGET_S)).items():
            key = (service, path, caller.user_id, caller.role, caller.scopes)
            entries = self._fresh_or_kept(key, found)
            merged.entries.extend(entry | {"service": f"svc-{service}"} for entry in entries or ())
            if entries is None:
                merged.missing.append(service)
        return merged

    def _fresh_or_kept(self, key: Key, found: Any) -> Any:
        """A service that is only slow keeps its last answer to this caller for a minute; one that is down has none."""
        now = time.monotonic()
        if not isinstance(found, BaseException):
            self._kept[key] = (now, found)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEEP_MOST or next(iter(self._kept.values()))[0] < now - _KEEP_S:
                self._kept.popitem(last=False)
            return found
        slow = isinstance(found, TimeoutError) or (isinstance(found, ServiceError) and found.status == 504)
        kept = self._kept.get(key)
        return kept[1] if slow and kept and now - kept[0] < _KEEP_S else None


def _entries(body: Any) -> list[dict[str, Any]]:
    """Return the entries that have an id; whatever else stands there is left out."""
    if isinstance(body, dict):
        body = body.get("data", body.get("models", body.get("jobs", [])))
    listed = body if isinstance(body, list) else []
    return [entry for entry in listed if isinstance(entry, dict) and isinstance(entry.get("id"), str)]
