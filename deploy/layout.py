"""Where things lie: the repository, its virtual environment, the data folder, ports and settings.

The only module of the runner that reads the environment and `.env`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOCKET_PATH_MAX = 96
"""Unix socket paths hold 107 bytes; supervisord appends a process number while it starts."""


@dataclass(frozen=True)
class Layout:
    """One stack: the folder of its data and by how much its ports are moved."""

    root: Path
    data_dir: Path
    port_offset: int = 0
    env: dict[str, str] = field(default_factory=dict)

    @property
    def venv(self) -> Path:
        """The shared virtual environment."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The interpreter of the virtual environment."""
        return self.venv / "bin" / "python"

    @property
    def page(self) -> Path:
        """The built web page."""
        return self.root / "frontend" / "dist"

    @property
    def run_dir(self) -> Path:
        """Configuration and process number of the supervisor."""
        return self.data_dir / "run"

    @property
    def log_dir(self) -> Path:
        """One log file a process."""
        return self.data_dir / "logs"

    def socket(self, name: str) -> Path:
        """Return where the Unix socket `name` lies: beside the data, or in a short temporary folder."""
        near = self.run_dir / name
        if len(str(near)) <= SOCKET_PATH_MAX:
            return near
        digest = hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"oficina-{os.getuid()}-{digest}" / name

    def port(self, prefix: str, default: int) -> int:
        """Return the port of the service whose settings start with `prefix`."""
        value = self.env.get(f"{prefix}_PORT", str(default))
        if not value.isdigit() or not 1 <= int(value) + self.port_offset <= 65535:
            raise ValueError(f"{prefix}_PORT is {value!r}; use a number from 1 to 65535")
        return int(value) + self.port_offset


def load(data_dir: str | None = None, port_offset: int = 0) -> Layout:
    """Return the layout that the environment, then `.env`, describe."""
    env = {**_dotenv(ROOT / ".env"), **os.environ}
    data = Path(data_dir or env.get("OFICINA_DATA_DIR") or ROOT / "data").resolve()
    return Layout(root=ROOT, data_dir=data, port_offset=port_offset, env=env)


def _dotenv(file: Path) -> dict[str, str]:
    """Read `NAME=value` lines; `#` starts a comment line, quotes around a value are dropped."""
    if not file.is_file():
        return {}
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            value = value.strip()
            quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'"
            found[name.strip()] = value[1:-1] if quoted else value
    return found
