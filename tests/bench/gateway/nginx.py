"""Starts nginx twice: as the service that answers at once, and as the reverse proxy that stands beside the gateway.

One process each, no log of accesses: what nginx does best.
"""

from __future__ import annotations

import os
import shutil

from tests.bench.gateway.traffic import MODEL, answer
from tests.bench.processes import HttpServer, Processes, free_port

NAME, DIRECT = "nginx", "direct"
_READY = '{"status":"ready","model":"bench","device":"cpu","queue":{"running":0,"waiting":0}}'
_FRAME = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 2048; }}
http {{
  access_log off; default_type application/json; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {inside}
}}
"""
_SERVICE = """
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location = /readyz {{ return 200 '{ready}'; }}
    location = /healthz {{ return 200 '{ready}'; }}
    location / {{ return 200 '{answer}'; }}
  }}
"""
_PROXY = """
  upstream service {{ server {upstream}; keepalive 256; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
"""


async def start_service(processes: Processes) -> HttpServer:
    """Start the service behind all contenders: every call gets the same answer."""
    port = free_port()
    inside = _SERVICE.format(port=port, ready=_READY, answer=answer().decode())
    return await _start(processes, "service", port, inside)


async def start_proxy(processes: Processes, service: HttpServer) -> HttpServer:
    """Start the reverse proxy: no credentials, no limits, no cache."""
    port = free_port()
    inside = _PROXY.format(port=port, upstream=service.url.removeprefix("http://"))
    return await _start(processes, NAME, port, inside)


async def _start(processes: Processes, name: str, port: int, inside: str) -> HttpServer:
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if nginx is None:
        raise SystemExit("nginx is needed: sudo apt-get install wrk nginx-light")
    folder = processes.folder / f"nginx-{name}"
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(_FRAME.format(folder=folder, inside=inside), encoding="utf-8")
    process = processes.start(name, [nginx, "-p", str(folder), "-c", str(file)], os.environ)
    url = f"http://127.0.0.1:{port}"
    await processes.until_ready(name, process, f"{url}/healthz")
    return HttpServer(DIRECT if name == "service" else name, url, MODEL, process)
