"""What the computer must bring: Python 3.11, a C++ compiler, Node. Knows nothing of the stack."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.console import Stop

NODE_AT_LEAST = 20
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
"""Where Debian, Fedora and macOS keep the certificates that the computer trusts."""


def check_python() -> None:
    """Stop unless this is Python 3.11 with `venv`.

    Raises: Stop, with the command that installs it.
    """
    if sys.version_info[:2] != (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        raise Stop(
            f"Python 3.11 is needed; this is {found}.\n"
            "  Debian 12, Ubuntu:  sudo apt-get install python3.11 python3.11-venv\n"
            "  anywhere:           uv python install 3.11   (https://docs.astral.sh/uv)\n"
            "then: make up PYTHON=python3.11"
        )
    if importlib.util.find_spec("ensurepip") is None:
        raise Stop("Python's venv module is missing: sudo apt-get install python3.11-venv")


def check_compiler() -> None:
    """Stop when no C++ compiler is found (llama.cpp is compiled for this processor).

    Raises: Stop, with the command that installs it.
    """
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        raise Stop(
            "A C++ compiler is needed (llama.cpp is compiled for this processor):\n"
            "  Debian, Ubuntu:  sudo apt-get install build-essential\n"
            "  Fedora:          sudo dnf install gcc-c++ make\n"
            "  macOS:           xcode-select --install"
        )


def node_of_machine() -> Path | None:
    """Return the installed `node` when it is new enough and has npm beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = version.strip().removeprefix("v").split(".")[0]
    return Path(node) if major.isdigit() and int(major) >= NODE_AT_LEAST else None


def has_nvidia() -> bool:
    """Tell whether an NVIDIA GPU answers."""
    tool = shutil.which("nvidia-smi")
    if not tool:
        return False
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and "GPU" in listed.stdout


@functools.cache
def sandbox_missing() -> str | None:
    """Return what this computer lacks for running code in a sandbox, with the remedy, or None."""
    tool = shutil.which("bwrap")
    if sys.platform != "linux":
        return "running code needs Linux"
    if tool is None:
        return "running code needs bubblewrap: sudo apt-get install bubblewrap"
    walls = ["--unshare-user-try", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/"]
    walls += ["--perms", "0777", "--size", "1048576", "--tmpfs", "/tmp"]
    if subprocess.run([tool, *walls, "true"], capture_output=True, check=False).returncode:
        return (
            "bubblewrap 0.8 or newer does not start: sudo sysctl kernel.unprivileged_userns_clone=1 "
            "kernel.apparmor_restrict_unprivileged_userns=0 (whichever exists)"
        )
    return None


def certificates() -> Path | None:
    """Return the certificates that this computer trusts; None where there is no such file.

    pip uses them, uv and Node bring certificates of their own, which do not know a company's proxy.
    """
    return next((Path(bundle) for bundle in _BUNDLES if Path(bundle).is_file()), None)
