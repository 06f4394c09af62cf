"""`python -m svc_chat` starts the service."""

import os

# OpenMP reads these when llama.cpp is loaded, and importing the app loads it: a wait spins a thousand times, then
# sleeps. Measured in docs/decisions/one-batch.md.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from servicekit.serve import serve  # noqa: E402
from svc_chat.app import create_app  # noqa: E402
from svc_chat.settings import Settings  # noqa: E402

if __name__ == "__main__":
    settings = Settings()
    serve(create_app(settings), settings)
