"""Settings of the whole test run.

`servicekit`, `gateway` and `miniatures` are folders of the repository and packages of the same name: pytest would
take the folders for packages unless the real ones are imported first.
"""

import contextlib
import importlib
import os

import pytest
from hypothesis import HealthCheck, settings

from tests.ports import free_port

# threads that spin while they wait make a small model fifty times slower on a shared processor
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

for _name in ("servicekit", "gateway", "miniatures"):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)

# examples that take long or differ from run to run would fail a suite whose subject is whole
settings.register_profile(
    "oficina", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("oficina")


@pytest.fixture
def unused_tcp_port() -> int:
    """Return a port that stays free: pytest-asyncio's could be given to another program at once."""
    return free_port()
