"""The API descriptions of all services as one document, whatever they do.

A service writes its description when it is first asked, which can take a second. So nobody is waited for longer
than the budget; a late answer is taken in when it comes and is there for the next reader.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.engine.calls import Calls
from gateway.settings import SERVICES
from servicekit.errors import DeadlineExceeded, UpstreamFailed

BUDGET_S = 0.4
_PATIENCE_S = 5.0
"""Seconds after which an answer is given up for good."""
_MOST_BYTES = 2 * 1024 * 1024
_DEEPEST = 100
"""Levels of a description that are followed; real ones have a dozen."""


class Descriptions:
    """Asks all services in parallel and merges what they say."""

    def __init__(self, calls: Calls):
        self._calls = calls
        self._kept: dict[str, dict[str, Any]] = {}
        self._asking: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def merged(self, own: dict[str, Any]) -> dict[str, Any]:
        """Return the gateway's description with the paths of every service that answers.

        `x-missing` names the services whose paths are not in it.
        """
        tasks = {service: self._task(service) for service in SERVICES}
        await asyncio.wait(tasks.values(), timeout=BUDGET_S)
        paths = dict(own.get("paths", {}))
        schemas = dict(own.get("components", {}).get("schemas", {}))
        missing = []
        for service, task in tasks.items():
            found = self._outcome(service, task)
            if found is None:
                missing.append(f"svc-{service}")
            else:
                _merge(paths, schemas, found, service)
        components = own.get("components", {}) | {"schemas": schemas}
        return own | {"paths": paths, "components": components, "x-missing": missing}

    async def close(self) -> None:
        """Give up what was not answered yet."""
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def _task(self, service: str) -> asyncio.Task[dict[str, Any]]:
        """Return the question under way; readers at the same moment share it."""
        task = self._asking.get(service)
        if task is None or task.done():
            task = self._asking[service] = asyncio.create_task(self._ask(service))
        return task

    def _outcome(self, service: str, task: asyncio.Task[dict[str, Any]]) -> dict[str, Any] | None:
        """A service that is only slow keeps its last description; one that is down has none."""
        if not task.done():
            return self._kept.get(service)
        error = task.exception()
        if error is None:
            return task.result()
        return self._kept.get(service) if isinstance(error, DeadlineExceeded) else None

    async def _ask(self, service: str) -> dict[str, Any]:
        found = await self._calls.json(
            service, "GET", "/openapi.json", timeout_s=_PATIENCE_S, most_bytes=_MOST_BYTES
        )
        paths = found.get("paths") if isinstance(found, dict) else None
        if not isinstance(paths, dict) or _too_deep(found):
            raise UpstreamFailed(f"svc-{service} answered with something that is no description.")
        components = found.get("components")
        usable = {
            "paths": _objects(paths),
            "schemas": _objects(components.get("schemas") if isinstance(components, dict) else None),
        }
        self._kept[service] = usable
        return usable


def _objects(named: Any) -> dict[str, Any]:
    """Return the members that are objects: nothing else is a path or a schema."""
    members = named.items() if isinstance(named, dict) else ()
    return {name: member for name, member in members if isinstance(member, dict)}


def _too_deep(node: Any) -> bool:
    """Tell whether lists and objects stand in each other deeper than can be followed."""
    level = [node]
    for _ in range(_DEEPEST):
        level = [
            part
            for outer in level
            for part in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(part, (dict, list))
        ]
        if not level:
            return False
    return True


def _merge(paths: dict[str, Any], schemas: dict[str, Any], found: dict[str, Any], service: str) -> None:
    """Add one service's description; schemas of the same name and other content get the service's name."""
    theirs = found["schemas"]
    prefix = "".join(part.capitalize() for part in service.split("-"))
    renamed = {n: prefix + n for n, schema in theirs.items() if n in schemas and schemas[n] != schema}
    for name, schema in theirs.items():
        schemas.setdefault(renamed.get(name) or str(name), _renamed(schema, renamed))
    for path, item in found["paths"].items():
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
