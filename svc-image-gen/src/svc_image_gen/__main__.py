"""`python -m svc_image_gen` starts the service."""

import os

from servicekit.serve import serve
from svc_image_gen.app import create_app
from svc_image_gen.settings import Settings

if __name__ == "__main__":
    # OpenMP reads this when torch is loaded. Threads that spin while they wait, on a processor that
    # others use too, made ten steps take 50 s instead of 0.7 s (2 cores, load 20, 2026-11).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    settings = Settings()
    serve(create_app(settings), settings)
