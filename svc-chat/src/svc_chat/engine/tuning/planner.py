"""Prepares trainings of the GGUF models here: what can be the base, the recipe, whether it fits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from svc_chat.engine.gguf_header import GgufHeader, read_header
from svc_chat.engine.tuning.base import Planned, Wishes
from svc_chat.engine.tuning.estimate import check_fits, estimate, largest_batch
from svc_chat.engine.tuning.examples import REHEARSAL, Example, read_examples, write_examples
from svc_chat.engine.tuning.recipe import (
    CHECKPOINT_FILE,
    EXAMPLES_FILE,
    HELD_OUT_FILE,
    TRAINABLE,
    Recipe,
    recipe_for,
)
from svc_chat.tuning_errors import NotTrainable

HELD_OUT_FROM = 100
"""With so many examples one of HELD_OUT_SHARE is kept apart; with fewer every one is needed."""
HELD_OUT_SHARE = 20
Find = Callable[[str | None, str], Awaitable[str]]
"""Name (or nothing) and owner to a model's id."""
Locate = Callable[[str], Awaitable[Path | None]]
"""A model's id to its GGUF file; None: it is an adapter, or another server's."""


class LocalPlanner:
    """Plans for the models whose files are here.

    Args:
        find: see Find.
        locate: see Locate.
        threads: that a training may use.
    """

    def __init__(self, find: Find, locate: Locate, threads: int):
        self._find, self._locate, self._threads = find, locate, threads

    async def base(self, name: str | None, owner: str) -> str:
        """Return the id of the model that `name` means; raises ModelNotFound, NotTrainable."""
        model_id = await self._find(name, owner)
        await self._header(model_id)
        return model_id

    async def plan(
        self,
        base: str,
        examples: Sequence[Example],
        held_out: Sequence[Example],
        wishes: Wishes,
        folder: Path,
        joins: Path | None = None,
        done_steps: int = 0,
    ) -> Planned:
        """Write a training into `folder`; raises TrainingTooLarge, ModelNotFound, NotTrainable. See Planner."""
        path, header = await self._header(base)
        return await asyncio.to_thread(
            self._plan, base, path, header, list(examples), list(held_out), wishes, folder, joins, done_steps
        )

    def _plan(
        self,
        base: str,
        path: Path,
        header: GgufHeader,
        examples: list[Example],
        held_out: list[Example],
        wishes: Wishes,
        folder: Path,
        joins: Path | None,
        done_steps: int,
    ) -> Planned:
        if not held_out and len(examples) >= HELD_OUT_FROM:
            held_out = examples[::HELD_OUT_SHARE]
            examples = [e for place, e in enumerate(examples) if place % HELD_OUT_SHARE]
        recipe = recipe_for(
            path.resolve(),
            header.parameters,
            len(examples),
            threads=self._threads,
            epochs=wishes.epochs,
            batch=wishes.batch,
            rate_multiplier=wishes.rate_multiplier,
            seed=wishes.seed,
        )
        epochs = max(1, round(recipe.steps * recipe.batch / len(examples)))
        from_step = done_steps if joins is not None and _continues(joins, recipe) else 0
        recipe = replace(recipe, steps=from_step + recipe.steps)
        folder.parent.mkdir(parents=True, exist_ok=True)
        most = recipe.context_tokens
        own = largest_batch((*examples, *held_out), recipe.batch, most)
        general = largest_batch(read_examples(REHEARSAL), recipe.rehearsal, most)
        need = estimate(header, recipe, (own, general))
        check_fits(need, folder.parent)
        folder.mkdir()
        if held_out:
            write_examples(folder / HELD_OUT_FILE, held_out)
        write_examples(folder / EXAMPLES_FILE, examples)
        recipe.write(folder)
        shown = {k: v for k, v in asdict(recipe).items() if k != "base"}
        told = {"examples": len(examples), "held_out": len(held_out), "memory_bytes": need.memory}
        return Planned(base, recipe.steps, {"recipe": shown, "epochs": epochs, **told}, from_step)

    async def _header(self, model_id: str) -> tuple[Path, GgufHeader]:
        path = await self._locate(model_id)
        if path is None:
            raise NotTrainable(model_id, "an adapter, or another server's model", TRAINABLE)
        header = await asyncio.to_thread(read_header, path)
        if header.architecture not in TRAINABLE:
            raise NotTrainable(model_id, header.architecture, TRAINABLE)
        return path, header


def _continues(folder: Path, recipe: Recipe) -> bool:
    """Tell whether a checkpoint in `folder` is of the same base and fits the same adapter."""
    if not (folder / CHECKPOINT_FILE).exists():
        return False
    before = Recipe.read(folder)
    return (before.base, before.rank, before.alpha) == (recipe.base, recipe.rank, recipe.alpha)
