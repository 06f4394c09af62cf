"""`python -m gateway`: tells the owner how to get in, then serves."""

from __future__ import annotations

import gc
import sys

import uvicorn

from gateway.api.protocol import Protocol
from gateway.app import create_app
from gateway.bootstrap import announce
from gateway.errors import Misconfigured
from gateway.parts import assemble
from gateway.settings import Settings
from servicekit import garbage
from servicekit.errors import CannotStart
from servicekit.logs import setup_logging


def main() -> None:
    """Serve until SIGTERM; running requests then get `drain_s` seconds to end."""
    settings = Settings()
    setup_logging(settings.service, "DEBUG" if settings.debug else settings.log_level)
    try:
        parts = assemble(settings)
        lines = announce(settings, parts.accounts, parts.credentials, parts.first_start)
    except (Misconfigured, CannotStart) as error:
        sys.exit(f"gateway: {error}")
    # For people, so not as JSON; the only place where secrets are written out, once.
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()
    parts.resolver.close()
    parts.passwords.close()
    # Start-up objects live for ever: never look at them again. What is left is little, so a look costs little (1 % of a
    # call or less, measured), and what a failed call leaves in cycles waits for 2,000 objects, not for 20,000.
    garbage.settle()
    gc.set_threshold(2_000, 10, 10)
    uvicorn.run(
        "gateway.app:create_app" if settings.workers > 1 else create_app(settings),
        factory=settings.workers > 1,
        workers=settings.workers,
        http=Protocol,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        # uvicorn believes X-Forwarded-For from 127.0.0.1 by default; limits by address would be void.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies) or None,
        timeout_keep_alive=settings.keep_alive,
        timeout_graceful_shutdown=int(settings.drain_s),
        h11_max_incomplete_event_size=64 * 1024,
        backlog=2048,
    )


if __name__ == "__main__":
    main()
