"""Builds the containers, starts them, makes one call a service and removes them again.

Runs beside a stack in use: own project name, own ports, own volumes. Each ability is called through
the gateway and on its own port; a document is asked about and must come back from OpenSearch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from deploy import services
from deploy.backup import archive
from deploy.calls import Caller, CallFailed, check_all
from deploy.console import Stop, say, step
from deploy.layout import ROOT

PROJECT = "oficina-smoke"
COMPOSE = ("docker", "compose")
PORT_OFFSET = 21000
HEALTHY_TIMEOUT_S = 420
SIGN_IDENTITY = """
import time, jwt
from pathlib import Path
from gateway.engine.signer import Signer
from servicekit.auth import AUDIENCE, ISSUER
signer = Signer(Path("/data/signing-key.pem"))
claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "smoke", "name": "smoke", "role": "owner", "scopes": ["*"]}
claims |= {"typ": "identity", "exp": int(time.time()) + 60}
print(jwt.encode(claims, signer._key, algorithm="EdDSA", headers={"kid": signer.kid}))
"""
"""A token as svc-chat gets it with a forwarded call: no call of a user hands one out."""
ASK_CODE = """
import http.client, json, socket, sys
client = http.client.HTTPConnection("localhost")
client.sock = socket.socket(socket.AF_UNIX)
client.sock.connect("/run/code/svc-code.sock")
code = "import socket\\ntry:\\n    socket.socket()\\nexcept OSError:\\n    print('refused', 6 * 7)"
headers = {"authorization": "Bearer " + sys.argv[1], "content-type": "application/json"}
client.request("POST", "/v1/sessions/smoke/execute", json.dumps({"code": code}), headers)
print(client.getresponse().read().decode())
"""


def compose(
    *arguments: str, env: dict[str, str], quiet: bool = False, output: BinaryIO | int | None = None
) -> str:
    """Run `docker compose` for this project and return what it printed; raise when it fails."""
    command = [*COMPOSE, "-p", PROJECT, *arguments]
    output = subprocess.PIPE if quiet else output
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=output, text=True, check=True)
    return done.stdout or ""


def llama_image(env: dict[str, str]) -> str:
    """Return an image with llama.cpp compiled; compile it once for each pin and recipe.

    An image outlives the build cache, which an older Docker prunes at a few gigabytes.
    """
    recipe = (ROOT / "deploy/docker/build_llama.sh").read_text()
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    pin = next(line for line in pins if line.startswith("llama-cpp-python=="))
    tag = "oficina/llama-build:" + hashlib.sha256((recipe + pin).encode()).hexdigest()[:12]
    if subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode:
        command = ["docker", "build", "--quiet", "-f", "deploy/docker/service.Dockerfile"]
        subprocess.run([*command, "--target", "llama-build", "-t", tag, "."], cwd=ROOT, env=env, check=True)
    return tag


def wait_healthy(env: dict[str, str]) -> None:
    """Poll until every container is healthy; raise with those that are not."""
    deadline, told = time.monotonic() + HEALTHY_TIMEOUT_S, set()
    while True:
        lines = compose("ps", "--all", "--format", "json", env=env, quiet=True).splitlines()
        found = {row["Service"]: row["Health"] or row["State"] for row in map(json.loads, lines)}
        for name, state in found.items():
            if state == "healthy" and name not in told:
                told.add(name)
                say(f"    {name} healthy")
        if found and told == set(found):
            return
        if time.monotonic() > deadline:
            raise CallFailed(f"not healthy after {HEALTHY_TIMEOUT_S} s: {found}")
        time.sleep(1)


def check_locked(env: dict[str, str]) -> None:
    """Check that every container is without root, capabilities and a writable root, and has limits."""
    ids = compose("ps", "-q", env=env, quiet=True).split()
    inspected = json.loads(
        subprocess.run(["docker", "inspect", *ids], capture_output=True, check=True).stdout
    )
    for container in inspected:
        host, name = container["HostConfig"], container["Name"]
        bindings = [b for group in (host["PortBindings"] or {}).values() for b in group]
        checks = {
            "runs as root": container["Config"]["User"] not in ("", "0", "root"),
            "writable root": host["ReadonlyRootfs"],
            "capabilities": [c.upper() for c in host["CapDrop"] or []] == ["ALL"],
            "new privileges": any("no-new-privileges" in o for o in host["SecurityOpt"] or []),
            "no limits": host["Memory"] > 0 and host["NanoCpus"] > 0,
            "port beyond loopback": all(b["HostIp"] == "127.0.0.1" for b in bindings),
        }
        wrong = [text for text, well in checks.items() if not well]
        if wrong:
            raise CallFailed(f"{name}: {', '.join(wrong)}")
    say(f"    {len(inspected)} containers: no root, no capabilities, read-only, limited, loopback only")


def check_opensearch(env: dict[str, str]) -> None:
    """Check that the documents asked about lie in OpenSearch."""
    ask = ("exec", "-T", "opensearch", "curl", "-fsS", "http://127.0.0.1:9200/oficina-*/_count")
    count = json.loads(compose(*ask, env=env, quiet=True))["count"]
    if not count:
        raise CallFailed("OpenSearch holds no passage: svc-rag searched elsewhere")
    say(f"    {count} passages in OpenSearch")


def check_code(env: dict[str, str], caller: Caller, gateway: str) -> None:
    """Check that svc-chat's container reaches the code interpreter, which reaches nobody."""
    deadline = time.monotonic() + HEALTHY_TIMEOUT_S
    state = {"status": "loading"}
    while state["status"] in ("loading", "down") and time.monotonic() < deadline:
        time.sleep(1)
        state = caller.json(f"{gateway}/api/status")["services"]["code"]
    if state["status"] == "not_ready":
        say(f"    svc-code is off on this machine: {state['reason']}")
        return
    signed = ("exec", "-T", "gateway", "python", "-c", SIGN_IDENTITY)
    token = compose(*signed, env=env, quiet=True).strip()
    asked = ("exec", "-T", "svc-chat", "python", "-c", ASK_CODE, token)
    answer = json.loads(compose(*asked, env=env, quiet=True))
    if answer.get("stdout") != "refused 42\n":
        raise CallFailed(f"svc-code: {answer}")
    say("    svc-code runs code and reaches no network")


def check_backup(env: dict[str, str], folder: Path) -> None:
    """Check that a backup of the running containers holds their records and can be put into other volumes."""
    file, other = folder / "backup.tar.gz", [*COMPOSE, "-p", f"{PROJECT}-restored"]
    with file.open("wb") as out:
        compose("run", "--rm", "-T", "backup", env=env, output=out)
    try:
        with file.open("rb") as stream:
            manifest = archive.read(stream, say)
        with file.open("rb") as stream:
            put_back = [*other, "run", "--rm", "-T", "backup", "restore"]
            subprocess.run(put_back, cwd=ROOT, env=env, stdin=stream, check=True)
    except Stop as problem:
        raise CallFailed(f"backup: {problem}") from problem
    finally:
        subprocess.run([*other, "down", "-v"], cwd=ROOT, env=env, capture_output=True, check=False)
    missing = {"gateway/gateway.db", "svc-chat/service.db", "svc-rag/rag.db"} - set(manifest.files)
    if missing:
        raise CallFailed(f"the backup lacks {', '.join(sorted(missing))}")
    say(f"    {len(manifest.files)} files backed up in use and put into empty volumes")


def print_sizes() -> None:
    """Print the size of each image."""
    listed = subprocess.run(
        ["docker", "image", "ls", "--format", "{{.Repository}} {{.Size}}", "--filter", "reference=oficina/*"],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in sorted(listed.stdout.splitlines()):
        say("    {:24} {}".format(*line.split()))


def run(env: dict[str, str], key: str, folder: Path) -> None:
    """Start the containers and check them."""
    with step("start"):
        compose("up", "-d", "--quiet-pull", env=env)
    with step("healthy"):
        wait_healthy(env)
    check_locked(env)

    def port(service: services.Service) -> int:
        return service.default_port + PORT_OFFSET

    with step("calls"):
        check_all(Caller(key), services.ALL, lambda s: f"http://127.0.0.1:{port(s)}")
    check_opensearch(env)
    check_code(env, Caller(key), f"http://127.0.0.1:{port(services.GATEWAY)}")
    with step("backup"):
        check_backup(env, folder)


def main() -> int:
    """Build, start, call, remove; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-build", action="store_true", help="take the images that are there")
    parser.add_argument("--keep", action="store_true", help="leave the containers running")
    asked = parser.parse_args()
    key = "sk-" + secrets.token_hex(24)
    with tempfile.TemporaryDirectory() as folder:
        env = _environment(Path(folder), key)
        failed: Exception | None = None
        try:
            if not asked.no_build:
                with step("llama.cpp"):
                    env["LLAMA_IMAGE"] = llama_image(env)
                with step("build"):
                    compose("--progress", "plain", "build", "--quiet", env=env)
            print_sizes()
            run(env, key, Path(folder))
        except (CallFailed, subprocess.CalledProcessError, OSError) as error:
            failed = error
            _attempt(lambda: compose("ps", "--all", env=env))
            _attempt(lambda: compose("logs", "--tail", "25", env=env))
        if not asked.keep:
            with step("remove"):
                _attempt(lambda: compose("down", "-v", "--remove-orphans", "-t", "20", env=env))
    say(f"containers: FAILED: {failed}" if failed else "containers: every call answered")
    return 1 if failed else 0


def _environment(folder: Path, key: str) -> dict[str, str]:
    file = folder / "owner_api_key"
    file.write_text(key)
    file.chmod(0o644)
    ports = {f"{s.prefix}_PORT": str(s.default_port + PORT_OFFSET) for s in services.ALL}
    return {
        **os.environ,
        **ports,
        "OWNER_API_KEY_FILE": str(file),
        "COMPOSE_PARALLEL_LIMIT": "2",
        "DOCKER_BUILDKIT": "1",
    }


def _attempt(action: Callable[[], object]) -> None:
    try:
        action()
    except (subprocess.CalledProcessError, OSError) as error:
        say(f"    {error}")


if __name__ == "__main__":
    sys.exit(main())
