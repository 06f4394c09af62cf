"""Ask a whole svc-chat the held-out requests about tables, and judge code and sentences.

`python -m tests.bench.tables --count 300 --seed 777` prints the scores of the built-in model as an assistant with
`code_interpreter` uses it; `miniatures.text.chat_analysis_score` gives those of its file alone. The service is the
real one, behind the official client; the code is run by pandas in a process of its own, whose charts are read as
numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from openai import OpenAI

from miniatures.text import analysis_runner
from miniatures.text.analysis_cases import AnalysisCase, analysis_cases, write_csv
from miniatures.text.chat_analysis_score import HELD_OUT_SEED, Analysed
from miniatures.text.tables import Table
from svc_chat.app import create_app
from svc_chat.engine.tools_base import Bearer, CodeResult, InputFile, OutputFile
from svc_chat.settings import Settings

TOOLS: Any = [{"type": "code_interpreter"}]
PICTURE = b"\x89PNG\r\n\x1a\n"
NOTHING: dict[str, Any] = {"printed": "", "charts": [], "error": "no code"}


class Runner:
    """Runs code with a pool's processes, and remembers the last."""

    def __init__(self, pool: ProcessPoolExecutor, folder: Path):
        self._pool, self._folder, self._number = pool, folder, 0
        self.last: tuple[str, dict[str, Any]] = ("", NOTHING)

    async def run(self, session_id: str, code: str, files: Sequence[InputFile], bearer: Bearer) -> CodeResult:
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir(parents=True)
        for file in files:
            (folder / file.name).write_bytes(file.path.read_bytes())
        result = await asyncio.wrap_future(self._pool.submit(analysis_runner.run, str(folder), code))
        self.last = (code, result)
        made = (OutputFile("chart.png", PICTURE, True),) if result["charts"] else ()
        return CodeResult(result["printed"], made, error=result["error"])

    async def forget(self, session_id: str, bearer: Bearer) -> None:
        return None

    async def close(self) -> None:
        return None


def judged(cases: Sequence[AnalysisCase]) -> Analysed:
    """Ask each case in a thread of its own."""
    found, processes = Analysed(), multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as root, ProcessPoolExecutor(1, mp_context=processes) as pool:
        runner = Runner(pool, Path(root) / "code")
        chosen = {"auth": "off", "allowed_hosts": ("testserver",), "vision_url": ""}
        app = create_app(Settings(data_dir=Path(root) / "chat", **chosen), tools=(None, runner))  # type: ignore[arg-type]
        with TestClient(app) as http:
            openai = OpenAI(base_url="http://testserver/v1", api_key="x", http_client=http, max_retries=0)  # type: ignore[arg-type]
            assistant = openai.beta.assistants.create(model="gpt-4o", tools=TOOLS)
            for number, case in enumerate(cases):
                runner.last = ("", NOTHING)
                folder = Path(root) / f"files-{number}"
                folder.mkdir()
                last = _asked(openai, assistant.id, case, folder)
                found.note(case, runner.last[0], runner.last[1], last)
    return found


def _asked(openai: OpenAI, assistant_id: str, case: AnalysisCase, folder: Path) -> str:
    """Return what the assistant says at last."""
    paths = [write_csv(case, folder), *(_second(table, folder) for table in case.others)]
    files = [openai.files.create(file=(one.name, one.read_bytes()), purpose="assistants") for one in paths]
    attachments = [{"file_id": file.id, "tools": TOOLS} for file in files]
    message: Any = {"role": "user", "content": case.asked, "attachments": attachments}
    run = openai.beta.threads.create_and_run_poll(
        assistant_id=assistant_id, thread={"messages": [message]}, poll_interval_ms=15
    )
    newest = openai.beta.threads.messages.list(run.thread_id).data[0]
    texts = [part.text.value for part in newest.content if part.type == "text"]
    return "".join(texts) if newest.role == "assistant" else f"({run.status})"


def _second(table: Table, folder: Path) -> Path:
    """Write the file that is on offer as well, with two rows."""
    options = table.options
    separator = "\t" if "'\\t'" in options else next((mark for mark in ";|" if f"'{mark}'" in options), ",")
    number = "1,5" if "decimal" in options else "1.5"
    row = separator.join(number if kind == "number" else "abc" for _, kind in table.columns)
    path = folder / table.file
    path.write_text("\n".join((separator.join(name for name, _ in table.columns), row, row)) + "\n")
    return path


def main() -> None:
    """Print the scores as JSON, and some of what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=HELD_OUT_SEED)
    parser.add_argument("--show", type=int, default=12)
    args = parser.parse_args()
    found = judged(analysis_cases(args.count, args.seed))
    for case, code, last in found.wrong[: args.show]:
        print(f"{case.asked!r}\n  of {case.request}\n  {code!r}\n  -> {last!r}")
    print(json.dumps(found.summary(), indent=1))


if __name__ == "__main__":
    main()
