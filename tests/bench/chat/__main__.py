"""`python -m tests.bench.chat`: measures svc-chat beside other servers and prints a table."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.bench.chat import model, rows_image, rows_speed, rows_turns
from tests.bench.chat.bench import CONTENDERS, Bench, Options, cache_folder
from tests.bench.chat.client import session
from tests.bench.chat.processes import Processes, Watch
from tests.bench.chat.report import Finding, machine_line, table

ROOT = Path(__file__).resolve().parents[3]
Row = Callable[[Bench], Awaitable[list[Finding]]]
ROWS: dict[str, Row] = {
    **{f"tokens-{count}": partial(rows_speed.tokens, conversations=count) for count in (1, 4, 8, 16)},
    "next-turn": rows_turns.next_turns,
    "leaves": rows_turns.leaving,
    "picture": rows_image.beside_a_picture,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for and print it."""
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended: SIGTERM"))  # what was started is ended too
    options = Options(
        rounds=given.rounds,
        contenders=tuple(given.beside.split(",")) if given.beside else CONTENDERS,
        threads=given.threads,
        llama_server=os.path.abspath(found) if (found := os.environ.get("LLAMA_SERVER")) else "",
    )
    if given.quick:
        options = replace(options, rounds=1, answer_tokens=16, history_tokens=300)
    machine = machine_line(ROOT)
    findings, disturbed = asyncio.run(measure(chosen_rows(given.only), options))
    print(f"\n{table(findings)}\n\n{machine}")
    print(
        "other work took",
        ", ".join(f"{share:.0%} of the processors in {row}" for row, share in disturbed.items()),
    )
    print(f"{options.rounds} rounds, medians; answers of {options.answer_tokens} tokens", end="")
    print("; --quick: too short to be quoted" if given.quick else "")
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command line's."""
    described = argparse.ArgumentParser(prog="python -m tests.bench.chat", description=__doc__)
    described.add_argument("--rounds", type=int, default=Options.rounds, help="measurements of each figure")
    described.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ROW",
        help=f"of {', '.join(ROWS)}; a beginning is enough",
    )
    described.add_argument("--beside", default="", metavar="NAME,…", help=f"of {', '.join(CONTENDERS)}")
    described.add_argument("--threads", type=int, default=os.cpu_count() or 2, help="for each server")
    described.add_argument("--quick", action="store_true", help="one short round: does everything still run?")
    return described


def chosen_rows(only: Sequence[str]) -> dict[str, Row]:
    """Return the rows that `only` names, or begins to name; all when it is empty.

    Raises:
        SystemExit: one of them is no row and begins none.
    """
    chosen: dict[str, Row] = {}
    for name in only or ROWS:
        found = [row for row in ROWS if row == name] or [row for row in ROWS if row.startswith(name)]
        if not found:
            raise SystemExit(f"no row begins with '{name}'; there are {', '.join(ROWS)}")
        chosen |= {row: ROWS[row] for row in found}
    return chosen


async def measure(rows: dict[str, Row], options: Options) -> tuple[list[Finding], dict[str, float]]:
    """Run the rows one after another; everything started is gone afterwards.

    Returns:
        The findings, and for each row the part of the processors that other programs took meanwhile.
    """
    cache = cache_folder(ROOT)
    file = await asyncio.to_thread(model.ensure, cache)
    findings: list[Finding] = []
    disturbed: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="oficina-bench-") as folder, Processes(Path(folder)) as processes:
        async with session() as client:
            bench = Bench(options, processes, client, cache, file)
            for name, row in rows.items():
                started, watch = time.perf_counter(), Watch(processes)
                findings += await row(bench)
                disturbed[name] = watch.others_share()
                print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return findings, disturbed


if __name__ == "__main__":
    sys.exit(main())
