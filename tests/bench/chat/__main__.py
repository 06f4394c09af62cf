"""`python -m tests.bench.chat`: measures svc-chat beside other servers and prints a table."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from tests.bench.chat import model, rows_image, rows_speed, rows_turns
from tests.bench.chat.bench import CONTENDERS, Bench, Options
from tests.bench.chat.client import session
from tests.bench.processes import Processes
from tests.bench.report import Finding, machine_line, others_line, table
from tests.bench.rows import Row, cache_folder, chosen_rows, run_rows

ROOT = Path(__file__).resolve().parents[3]
ROWS: dict[str, Row[Bench]] = {
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
    machine = machine_line(ROOT, "llama-cpp-python")
    findings, disturbed = asyncio.run(measure(chosen_rows(ROWS, given.only), options))
    print(f"\n{table(findings)}\n\n{machine}")
    print(others_line(disturbed))
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


async def measure(rows: dict[str, Row[Bench]], options: Options) -> tuple[list[Finding], dict[str, float]]:
    """Run the rows one after another; everything started is gone afterwards.

    Returns:
        The findings, and for each row the part of the processors that other programs took meanwhile.
    """
    cache = cache_folder(ROOT)
    file = await asyncio.to_thread(model.ensure, cache)
    with tempfile.TemporaryDirectory(prefix="oficina-bench-") as folder, Processes(Path(folder)) as processes:
        async with session() as client:
            return await run_rows(rows, Bench(options, processes, client, cache, file), processes)


if __name__ == "__main__":
    sys.exit(main())
