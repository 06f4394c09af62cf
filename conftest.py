"""Settings of the whole test run.

`servicekit`, `gateway` and `miniatures` are folders of the repository and packages of the same name: pytest would
take the folders for packages unless the real ones are imported first.
"""

import contextlib
import importlib
import os

# threads that spin while they wait make a small model fifty times slower on a shared processor
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

for _name in ("servicekit", "gateway", "miniatures"):
    with contextlib.suppress(ImportError):
        importlib.import_module(_name)
