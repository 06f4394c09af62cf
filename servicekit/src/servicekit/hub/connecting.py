"""Puts installing together for a service: its settings, its catalogue, its form and its two callbacks."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable
from pathlib import Path

from fastapi import APIRouter

from servicekit import jobs, models
from servicekit.hub.api import router
from servicekit.hub.choosing import Format, Layout
from servicekit.hub.installs import KIND, Installs
from servicekit.hub.plan import Estimate, Planner, Runs
from servicekit.hub.repository import HubRepository
from servicekit.hub.running import judge
from servicekit.hub.shelf import Shelf, ShelfModel
from servicekit.models.catalogue import Catalogue, Machine
from servicekit.models.content import content_of
from servicekit.models.registry import ServiceModels
from servicekit.settings import ServiceSettings


def connect(
    settings: ServiceSettings,
    catalogue: Catalogue,
    form: Format,
    estimate: Estimate,
    *,
    task: str,
    arrived: Callable[[ShelfModel], None],
    leaving: Callable[[str], None],
    runs: Runs = lambda config, name: None,
    layout: Layout | None = None,
) -> Installs:
    """Return what installs for a service; models stand in `data_dir/models`. Fetches nothing yet.

    `runs` looks at a model's configuration and raises BadRequest for one that no engine of the service runs; by it
    the catalogue tells which of its entries are `runnable`.
    """
    catalogue.judge = judge(runs)
    shelf = Shelf(settings.data_dir / "models")
    repository = HubRepository(settings.hf_endpoint or None, settings.hf_token or None)
    machine = functools.partial(Machine.measure, shelf.root)
    planner = Planner(repository, catalogue, form, estimate, machine, task, layout)
    return Installs(planner, repository, shelf, arrived, leaving)


def editions(
    known: ServiceModels, installs: Installs | None, places: Iterable[Path] = ()
) -> Callable[[], list[str]]:
    """Return what tells which models are here and in which version, for `Readiness.watch_models`.

    `places` are the files and folders of the models that no hub's commit tells: built in, or named by a setting.
    They are read once, here, because they do not change under a service that runs.
    """
    content = content_of(places)
    return lambda: [content, *known.editions(), *(installs.commits() if installs is not None else ())]


def queue_for(settings: ServiceSettings, installs: Installs) -> jobs.JobQueue:
    """Return a queue whose only work is installing, for a service without jobs of its own."""
    url = settings.database_url or f"sqlite:///{settings.data_dir.resolve() / 'installs.db'}"
    return jobs.JobQueue(
        settings.service, url, {KIND: installs.run}, max_waiting=16, seldom=True,
        keep_days=settings.media_retention_days,
    )  # fmt: skip


async def start(installs: Installs | None, queue: jobs.JobQueue | None) -> None:
    """Offer what is on the shelf, then go on with installs that a crash left."""
    if installs is not None and queue is not None:
        await asyncio.to_thread(installs.offer)
        await asyncio.to_thread(queue.start)


async def stop(queue: jobs.JobQueue | None) -> None:
    """Interrupt what is being installed; the next start goes on with it."""
    if queue is not None:
        await asyncio.to_thread(queue.stop)


def routers(known: ServiceModels, installs: Installs | None, queue: jobs.JobQueue | None) -> list[APIRouter]:
    """Return the routes of models, and of jobs for a service that has none but installs."""
    if installs is None or queue is None:
        return [models.router(known)]
    return [models.router(known, router(installs, queue)), jobs.router(queue)]
