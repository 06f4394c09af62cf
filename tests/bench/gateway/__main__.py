"""`python -m tests.bench.gateway`: measures the gateway beside other gateways and prints a table."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.bench.gateway import rows_calls, rows_streams
from tests.bench.gateway.bench import CONTENDERS, OURS, Bench, Options
from tests.bench.processes import Processes
from tests.bench.report import Finding, machine_line, others_line, table
from tests.bench.rows import Row, cache_folder, chosen_rows, run_rows

ROOT = Path(__file__).resolve().parents[3]
ROWS: dict[str, Row[Bench]] = {
    "calls": rows_calls.many_connections,
    "added": rows_calls.one_connection,
    "hits": rows_calls.cache_hits,
    "streams": rows_streams.paced,
    "flat-out": rows_streams.flat_out,
    "first": rows_streams.first_token,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for and print it."""
    given = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended: SIGTERM"))  # what was started is ended too
    options = Options(rounds=given.rounds, seconds=given.seconds, contenders=_contenders(given.beside))
    if given.quick:
        options = replace(options, rounds=1, seconds=1.0, tokens=50)
    rows = chosen_rows(ROWS, given.only)
    machine = machine_line(ROOT, "aiohttp", "uvicorn")
    findings, disturbed = asyncio.run(measure(rows, options))
    print(f"\n{table(findings)}\n\n{machine}")
    print(others_line(disturbed))
    print(f"{options.rounds} rounds of {options.seconds:g} s, medians", end="")
    print("; --quick: too short to be quoted" if given.quick else "")
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the command line's."""
    described = argparse.ArgumentParser(prog="python -m tests.bench.gateway", description=__doc__)
    described.add_argument("--rounds", type=int, default=Options.rounds, help="measurements of each figure")
    described.add_argument("--seconds", type=float, default=Options.seconds, help="of calls to one of them")
    described.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ROW",
        help=f"of {', '.join(ROWS)}; a beginning is enough",
    )
    described.add_argument("--beside", default="", metavar="NAME,…", help=f"of {', '.join(CONTENDERS[1:])}")
    described.add_argument("--quick", action="store_true", help="one short round: does everything still run?")
    return described


def _contenders(beside: str) -> tuple[str, ...]:
    """Return ours and those that `beside` names or begins to name, whatever the case."""
    if not beside:
        return CONTENDERS
    chosen = [OURS]
    for name in beside.split(","):
        found = [one for one in CONTENDERS if one.lower().startswith(name.strip().lower())]
        if not found:
            raise SystemExit(f"nobody is called '{name}'; there are {', '.join(CONTENDERS)}")
        chosen += [one for one in found if one not in chosen]
    return tuple(chosen)


async def measure(rows: dict[str, Row[Bench]], options: Options) -> tuple[list[Finding], dict[str, float]]:
    """Run the rows one after another; everything started is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="oficina-bench-") as folder, Processes(Path(folder)) as processes:
        return await run_rows(rows, Bench(options, processes, cache_folder(ROOT)), processes)


if __name__ == "__main__":
    sys.exit(main())
