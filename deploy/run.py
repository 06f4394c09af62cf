"""The commands of the local runner: `up`, `down`, `status`, `backup`, `update` and the others of the Makefile.

Reads the command line and puts the other modules in order; decides nothing itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from deploy import (
    first_start,
    install,
    machine,
    memory,
    page,
    ready,
    services,
    supervisor,
    swept,
    update,
    upkeep,
)
from deploy.backup import commands
from deploy.console import Stop, say, step, warn
from deploy.layout import Layout, load

COMMANDS = (
    "up", "down", "restart", "status", "logs", "setup", "frontend", "urls", "backup", "restore", "update", "rollback"
)  # fmt: skip


def up(layout: Layout, timeout_s: float) -> int:
    """Install what changed, start everything, wait until it is ready and print the link."""
    started = time.monotonic()
    commands.refuse_unfinished(layout)
    install.ensure(layout, ("run", "tracing") if layout.env.get("OTEL_EXPORTER_OTLP_ENDPOINT") else ("run",))
    _build_page(layout)
    here = [service for service in services.ALL if service.exists(layout)]
    if missing := machine.sandbox_missing():
        warn(f"svc-code is off: {missing}")
    if supervisor.running(layout):
        say("==> already running (make restart takes changed code and settings)")
    else:
        _ports_must_be_free(here, layout)
        upkeep.forget(layout.log_dir, upkeep.retention_days(layout), time.time(), in_use=False)
        with step("start"):
            supervisor.start(layout)
    say("==> services")
    late = ready.wait(here, layout, timeout_s, lambda service: _welcome(service, layout))
    for service, why in late:
        warn(f"{service.name} is not ready: {why}; see make logs S={service.name}")
        warn(f"    last said: {_last_line(layout, service)}")
    say(f"{len(here) - len(late)} of {len(here)} services ready after {time.monotonic() - started:.1f} s")
    return 1 if late else 0


def _welcome(service: services.Service, layout: Layout) -> None:
    """Print the link as soon as the gateway answers: the page says what is still loading."""
    if service is services.GATEWAY:
        first_start.show(layout)


def down(layout: Layout) -> int:
    """Stop everything; data stays."""
    if not supervisor.running(layout):
        say("nothing is running")
        return 0
    with step("stop"):
        supervisor.stop(layout)
    return 0


def status(layout: Layout) -> int:
    """Print one line a process: state, how long it has run, what it says of itself."""
    if not supervisor.running(layout):
        say("nothing is running; start with: make up")
        return 1
    by_name = {service.name: service for service in services.ALL}
    reports: dict[str, dict[str, Any]] = {}
    total = memory.pss_mib(supervisor.own_pid(layout))
    say(f"{'process':14} {'state':9} {'pid':>7} {'port':>6} {'MiB':>6}  says")
    for process in supervisor.processes(layout):
        name, pid = str(process["name"]), int(str(process["pid"]))
        service = by_name.get(name)
        port = str(service.port(layout)) if service else "-"
        report = ready.ask(service.url(layout)) if service else {"status": ""}
        reports[name] = report
        says = f"{report['status']}  {report.get('reason') or report.get('model') or ''}"
        say(f"{name:14} {process['statename']!s:9} {pid:7} {port:>6} {memory.pss_mib(pid):6.0f}  {says}")
    say(f"memory of everything: {total:.0f} MiB")
    for line in swept.lines(reports, upkeep.removed_so_far(layout)):
        say(line)
    return 0


def logs(layout: Layout, name: str | None) -> int:
    """Follow the log of one service, or of all."""
    files = sorted(layout.log_dir.glob(f"{name}.log" if name else "*.log"))
    if not files:
        raise Stop(f"No log of {name or 'any service'} in {layout.log_dir}; is the stack started?")
    os.execvp("tail", ["tail", "-n", "40", "-F", *map(str, files)])


def setup(layout: Layout) -> int:
    """Install what running, testing and checking need, and build the page."""
    install.ensure(layout, install.EVERYTHING)
    page.ensure(layout)
    return 0


def frontend(layout: Layout, script: str) -> int:
    """Run one script of the page's package.json."""
    env = page.packages(layout)
    return subprocess.run(
        ["npm", "run", "--silent", script], cwd=layout.root / "frontend", env=env
    ).returncode


def _last_line(layout: Layout, service: services.Service) -> str:
    """Return what a service last said that is no health check: its last error, if there is one."""
    file = layout.log_dir / f"{service.name}.log"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    said = [line for line in lines[-200:] if '"/readyz"' not in line and '"/healthz"' not in line]
    errors = [found for line in said if (found := _error_in(line))]
    return (errors or said or ["nothing"])[-1][:400]


def _error_in(line: str) -> str:
    """Return the message of a logged error, or of an exception that ended a process."""
    if not line.startswith("{"):
        name, colon, message = line.partition(": ")
        return message if colon and name.replace(".", "").replace("_", "").isalnum() else ""
    try:
        event = json.loads(line)
    except ValueError:
        return ""
    if event.get("level") not in ("ERROR", "CRITICAL") or "startup failed" in str(event.get("message")):
        return ""
    return str(event.get("reason") or str(event.get("message")).strip().splitlines()[-1])


def _build_page(layout: Layout) -> None:
    try:
        page.ensure(layout)
    except Stop as problem:
        warn(f"{problem}\n    everything but the page starts")


def _ports_must_be_free(here: list[services.Service], layout: Layout) -> None:
    if clash := ready.taken(here, layout):
        lines = [f"  {s.port(layout)} ({s.name}): set {s.prefix}_PORT in .env" for s in clash]
        raise Stop("These ports are taken by other programs:\n" + "\n".join(lines))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.run", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument(
        "name", nargs="?", help="a service (logs), a script (frontend), a file (backup, restore)"
    )
    parser.add_argument("--data-dir", help="where everything is kept; default: data/")
    parser.add_argument("--port-offset", type=int, default=0, help="added to every port")
    parser.add_argument("--timeout", type=float, default=240.0, help="seconds to wait for readiness")
    parser.add_argument("--docker", action="store_true", help="backup and restore: the named volumes")
    parser.add_argument("--logs", action="store_true", help="backup: the logs too")
    return parser.parse_args()


def main() -> int:
    """Run one command and return the exit status."""
    asked = _arguments()
    layout = load(asked.data_dir, asked.port_offset)
    answers: dict[str, Callable[[], int | None]] = {
        "up": lambda: up(layout, asked.timeout),
        "down": lambda: down(layout),
        "restart": lambda: down(layout) or up(layout, asked.timeout),
        "status": lambda: status(layout),
        "logs": lambda: logs(layout, asked.name),
        "setup": lambda: setup(layout),
        "frontend": lambda: frontend(layout, asked.name or "lint"),
        "urls": lambda: say(json.dumps({service.name: service.url(layout) for service in services.ALL})),
        "backup": lambda: _done(
            commands.backup(layout, asked.name or None, docker=asked.docker, logs=asked.logs)
        ),
        "restore": lambda: _done(commands.put_back(layout, asked.name or "", docker=asked.docker)),
        "update": lambda: update.update(layout, asked.timeout),
        "rollback": lambda: update.rollback(layout, asked.timeout),
    }
    return answers[asked.command]() or 0


def _done(_: object) -> int:
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Stop, ValueError) as error:
        warn(f"\n{error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
