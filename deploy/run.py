"""The commands of the local runner: `up`, `down`, `restart`, `status`, `logs`, `setup`, `test`.

Reads the command line and puts the other modules in order; decides nothing itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

from deploy import first_start, install, machine, memory, page, ready, services, supervisor
from deploy.console import Stop, say, step, warn
from deploy.layout import Layout, load

LOG_KEEP_DAYS = 30


def up(layout: Layout, timeout_s: float) -> int:
    """Install what changed, start everything, wait until it is ready and print the link."""
    started = time.monotonic()
    install.ensure(layout, ("run", "tracing") if layout.env.get("OTEL_EXPORTER_OTLP_ENDPOINT") else ("run",))
    _build_page(layout)
    here = [service for service in services.ALL if service.exists(layout)]
    if missing := machine.sandbox_missing():
        warn(f"svc-code is off: {missing}")
    if supervisor.running(layout):
        say("==> already running (make restart takes changed code and settings)")
    else:
        _ports_must_be_free(here, layout)
        _forget_old_logs(layout)
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
    total = memory.pss_mib(supervisor.own_pid(layout))
    say(f"{'process':14} {'state':9} {'pid':>7} {'port':>6} {'MiB':>6}  says")
    for process in supervisor.processes(layout):
        name, pid = str(process["name"]), int(str(process["pid"]))
        service = by_name.get(name)
        port = str(service.port(layout)) if service else "-"
        report = ready.ask(service.url(layout)) if service else {"status": ""}
        says = f"{report['status']}  {report.get('reason') or report.get('model') or ''}"
        say(f"{name:14} {process['statename']!s:9} {pid:7} {port:>6} {memory.pss_mib(pid):6.0f}  {says}")
    say(f"memory of everything: {total:.0f} MiB")
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
    file = layout.log_dir / f"{service.name}.log"
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    said = [line for line in lines[-200:] if '"/readyz"' not in line and '"/healthz"' not in line]
    return said[-1][:200] if said else "nothing"


def _build_page(layout: Layout) -> None:
    try:
        page.ensure(layout)
    except Stop as problem:
        warn(f"{problem}\n    everything but the page starts")


def _ports_must_be_free(here: list[services.Service], layout: Layout) -> None:
    if clash := ready.taken(here, layout):
        lines = [f"  {s.port(layout)} ({s.name}): set {s.prefix}_PORT in .env" for s in clash]
        raise Stop("These ports are taken by other programs:\n" + "\n".join(lines))


def _forget_old_logs(layout: Layout) -> None:
    for file in layout.log_dir.glob("*.log*"):
        if time.time() - file.stat().st_mtime > LOG_KEEP_DAYS * 86400:
            file.unlink(missing_ok=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.run", description=__doc__)
    parser.add_argument(
        "command", choices=["up", "down", "restart", "status", "logs", "setup", "frontend", "urls"]
    )
    parser.add_argument("name", nargs="?", help="a service (logs) or a script (frontend)")
    parser.add_argument("--data-dir", help="where everything is kept; default: data/")
    parser.add_argument("--port-offset", type=int, default=0, help="added to every port")
    parser.add_argument("--timeout", type=float, default=240.0, help="seconds to wait for readiness")
    return parser.parse_args()


def main() -> int:
    """Run one command and return the exit status."""
    asked = _arguments()
    layout = load(asked.data_dir, asked.port_offset)
    if asked.command == "up":
        return up(layout, asked.timeout)
    if asked.command == "down":
        return down(layout)
    if asked.command == "restart":
        return down(layout) or up(layout, asked.timeout)
    if asked.command == "status":
        return status(layout)
    if asked.command == "logs":
        return logs(layout, asked.name)
    if asked.command == "setup":
        return setup(layout)
    if asked.command == "urls":
        say(json.dumps({service.name: service.url(layout) for service in services.ALL}))
        return 0
    return frontend(layout, asked.name or "lint")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Stop, ValueError) as error:
        warn(f"\n{error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
