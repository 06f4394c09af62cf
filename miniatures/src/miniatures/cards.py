"""Writes the MODEL_CARD.md beside each model's weights. Knows what a card holds, not how it is measured."""

from dataclasses import dataclass
from pathlib import Path

from miniatures.training import Record


@dataclass(frozen=True)
class Score:
    """One thing measured on held-out scenes, and the bar it should reach, if there is one."""

    what: str
    value: str
    bar: str = "–"


@dataclass(frozen=True)
class Card:
    """What a reader must know before using a model."""

    title: str
    kind: str
    data: str
    training: dict[str, Record]
    scores: tuple[Score, ...]
    limits: tuple[str, ...]
    retrain: str


def learned(run: Record) -> str:
    """How long a model has learned, in words."""
    wall = f"{run.wall_s / 60:.0f} minutes by the wall clock of a shared machine"
    cpu = "" if run.cpu_s is None else f"{run.cpu_s / 60:.1f} minutes of processor time, "
    before = f"; before that {learned(run.before)}" if run.before else ""
    return f"{run.steps} steps, {cpu}{wall}{before}"


def write(card: Card, folder: Path) -> None:
    """Write the card; the size is that of the files in the folder."""
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    trained = [f"- {part}: {learned(run)}" for part, run in card.training.items()]
    rows = [f"| {score.what} | {score.value} | {score.bar} |" for score in card.scores]
    lines = [
        f"# {card.title}",
        "",
        card.kind,
        "",
        f"Size: {size:.1f} MB. Trained from scratch; no pretrained part.",
        "",
        "## Data",
        "",
        card.data,
        "",
        "## Training",
        "",
        *trained,
        f"- Again: `{card.retrain}`",
        "",
        "## Measured on held-out scenes",
        "",
        "| what | score | bar |",
        "|---|---|---|",
        *rows,
        "",
        "## What it cannot do",
        "",
        *[f"- {limit}" for limit in card.limits],
        "",
    ]
    (folder / "MODEL_CARD.md").write_text("\n".join(lines))


def percent(right: int, count: int) -> str:
    """ "93 % of 200"."""
    return f"{100 * right / max(1, count):.1f} % of {count}"
