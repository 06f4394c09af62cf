"""The folders of trainings, and what lies there when: each training has one, named by its id.

What joins a training that waits is planned into a folder of its own beside it, and the training's record names that
one from the moment at which it holds. Only who begins the training takes it in, so what a training reads never changes
while it runs, whatever ends the process in between.
"""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path

from svc_chat.engine.tuning.base import PLAN, TuningJob, TuningStore
from svc_chat.engine.tuning.recipe import CHECKPOINT_FILE, EXAMPLES_FILE, HELD_OUT_FILE, RECIPE_FILE

PLANNED_S = 600.0
"""A folder younger than this may be that of a training which is being planned, and has no record yet."""


class TrainingFolders:
    """Below `root`. All calls but `of` and `new_plan` block."""

    def __init__(self, root: Path):
        self._root = root

    def of(self, name: str) -> Path:
        """Return the folder of a training, or of a plan."""
        return self._root / name

    def new_plan(self, job_id: str) -> str:
        """Return a name for the folder of what is to join a training."""
        return f"{job_id}.{uuid.uuid4().hex[:8]}"

    def take_in(self, job: TuningJob) -> None:
        """Put what joined a training into its folder; one that was interrupted at this does it again, whole."""
        name = job.details.get(PLAN)
        if name is None or not (self.of(name) / RECIPE_FILE).exists():
            return
        own, plan = self.of(job.id), self.of(name)
        if not job.step:  # it does not go on from there
            (own / CHECKPOINT_FILE).unlink(missing_ok=True)
        for file in (EXAMPLES_FILE, HELD_OUT_FILE, RECIPE_FILE):
            if (plan / file).exists():
                part = own / f"{file}.part"
                shutil.copyfile(plan / file, part)
                part.replace(own / file)
            else:
                (own / file).unlink(missing_ok=True)
        (plan / RECIPE_FILE).unlink()  # the sign that it is still to be done
        self.remove(name)

    def remove(self, name: str | None) -> None:
        """Remove the folder of a training or a plan, if there is one."""
        if name is not None:
            shutil.rmtree(self.of(name), ignore_errors=True)

    def remove_all(self, job: TuningJob) -> None:
        """Remove what a training had made, and what joined it."""
        self.remove(job.id)
        self.remove(job.details.get(PLAN))

    def keep_models_only(self, job_id: str) -> None:
        """Remove the texts of a training that has ended."""
        for path in self.of(job_id).glob("*"):
            if path.suffix != ".gguf":
                path.unlink(missing_ok=True)

    def tidy(self, store: TuningStore) -> None:
        """Remove what a crash left between a folder and its record, and the texts of trainings that have ended."""
        left = [folder for folder in self._root.iterdir() if folder.is_dir() and _age_s(folder) > PLANNED_S]
        known = store.folders()
        for folder in left:
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)
        kept = {model.job_id for model in store.models()}
        for job_id in store.folders(ended=True):
            self.keep_models_only(job_id) if job_id in kept else self.remove(job_id)


def _age_s(folder: Path) -> float:
    return time.time() - folder.stat().st_mtime
