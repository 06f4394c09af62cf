"""The models, jobs and API descriptions of all services as one list each, whatever hangs."""

from __future__ import annotations

import time
from typing import Any

from gateway.engine.calls import Calls, gather
from gateway.settings import SERVICES
from servicekit.errors import ModelNotFound, NotFound, ServiceError

BUDGET_S = 0.4
_KEEP_S = 60.0
JOB_SERVICES = ("chat", "image-gen", "rag")
"""Services whose work can be a job."""


class Catalogue:
    """Asks all services in parallel and merges what they say."""

    def __init__(self, calls: Calls):
        self._calls = calls
        self._kept: dict[tuple[str, str], tuple[float, Any]] = {}

    async def models(self, token: str) -> list[dict[str, Any]]:
        """Return the entries of every service's `/v1/models`, each with its `service`."""
        return await self._merged("/v1/models", token)

    async def public_models(self, token: str) -> list[dict[str, Any]]:
        """Return the entries of every service's `/v1/catalogue`."""
        return await self._merged("/v1/catalogue", token)

    async def model(self, model_id: str, token: str) -> dict[str, Any]:
        """Return one model's entry.

        Raises:
            ModelNotFound: no service that answers has it; the message says what is there.
        """
        entries = await self.models(token)
        for entry in entries:
            if entry.get("id") == model_id:
                return entry
        here = ", ".join(sorted(str(e.get("id")) for e in entries if not e.get("alias_of"))) or "none"
        raise ModelNotFound(f"There is no model '{model_id[:100]}'. Here are: {here}.", param="model")

    async def service_of(self, model_id: str, token: str) -> str:
        """Return the service (as in upstream settings) that has a model, installed or in the catalogue."""
        for entries in (await self.models(token), await self.public_models(token)):
            for entry in entries:
                if entry.get("id") == model_id:
                    return str(entry["service"]).removeprefix("svc-")
        raise ModelNotFound(f"No service that answers has a model '{model_id[:100]}'.", param="model")

    async def jobs(self, token: str) -> tuple[list[dict[str, Any]], list[str]]:
        """Return the caller's jobs, newest first, and the services that could not be asked."""

        async def ask(service: str) -> list[dict[str, Any]]:
            try:
                body = await self._calls.json(service, "GET", "/v1/jobs", token=token, timeout_s=BUDGET_S)
            except NotFound:
                return []
            return _entries(body)

        found = await gather(JOB_SERVICES, ask, BUDGET_S)
        jobs = [job for entries in found.values() if isinstance(entries, list) for job in entries]
        missing = [service for service, entries in found.items() if not isinstance(entries, list)]
        return sorted(jobs, key=lambda job: str(job.get("created_at", "")), reverse=True), missing

    async def openapi(self, own: dict[str, Any]) -> dict[str, Any]:
        """Return the gateway's description with the paths of every service that answers."""

        async def ask(service: str) -> dict[str, Any]:
            found = await self._calls.json(service, "GET", "/openapi.json", timeout_s=2.0)
            return found if isinstance(found, dict) else {}

        merged = own | {"paths": dict(own.get("paths", {}))}
        schemas = dict(own.get("components", {}).get("schemas", {}))
        for service, found in (await gather(SERVICES, ask, 2.0)).items():
            found = self._fresh_or_kept((service, "/openapi.json"), found)
            if isinstance(found, dict):
                _merge(merged["paths"], schemas, found, service)
        return merged | {"components": own.get("components", {}) | {"schemas": schemas}}

    async def _merged(self, path: str, token: str) -> list[dict[str, Any]]:
        async def ask(service: str) -> list[dict[str, Any]]:
            return _entries(await self._calls.json(service, "GET", path, token=token, timeout_s=BUDGET_S))

        merged: list[dict[str, Any]] = []
        for service, found in (await gather(SERVICES, ask, BUDGET_S)).items():
            entries = self._fresh_or_kept((service, path), found)
            merged += [{"service": f"svc-{service}"} | entry for entry in entries or ()]
        return merged

    def _fresh_or_kept(self, key: tuple[str, str], found: Any) -> Any:
        """A service that is only slow keeps its last answer for a minute; one that is down has none."""
        if not isinstance(found, BaseException):
            self._kept[key] = (time.monotonic(), found)
            return found
        slow = isinstance(found, TimeoutError) or (isinstance(found, ServiceError) and found.status == 504)
        kept = self._kept.get(key)
        return kept[1] if slow and kept and time.monotonic() - kept[0] < _KEEP_S else None


def _entries(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, dict):
        body = body.get("data", body.get("models", body.get("jobs", [])))
    return [entry for entry in body if isinstance(entry, dict)] if isinstance(body, list) else []


def _merge(paths: dict[str, Any], schemas: dict[str, Any], found: dict[str, Any], service: str) -> None:
    """Add one service's description; schemas of the same name and other content get the service's name."""
    theirs = dict(found.get("components", {}).get("schemas", {}))
    prefix = "".join(part.capitalize() for part in service.split("-"))
    renamed = {n: prefix + n for n, schema in theirs.items() if n in schemas and schemas[n] != schema}
    for name, schema in theirs.items():
        schemas.setdefault(renamed.get(name) or str(name), _renamed(schema, renamed))
    for path, item in found.get("paths", {}).items():
        if path not in paths:
            paths[path] = _renamed(item, renamed)


def _renamed(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_renamed(part, names) for part in node]
    if not isinstance(node, dict):
        return node
    ref = node.get("$ref")
    if isinstance(ref, str) and ref.rsplit("/", 1)[-1] in names:
        return node | {"$ref": "#/components/schemas/" + names[ref.rsplit("/", 1)[-1]]}
    return {name: _renamed(part, names) for name, part in node.items()}
