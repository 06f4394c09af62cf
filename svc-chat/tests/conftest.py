"""A svc-chat with a fake engine, for tests of its API: in this thread, or behind a real port."""

import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import pytest
import uvicorn
from fastapi.testclient import TestClient
from openai import OpenAI
from sqlalchemy import create_engine, text

from svc_chat.app import create_app
from svc_chat.engine.base import Describer, Engine
from svc_chat.engine.fake import FakeEngine
from svc_chat.engine.tools_base import CodeInterpreter, FileSearch
from svc_chat.settings import Settings
from tests.ports import free_port

Tools = tuple[FileSearch | None, CodeInterpreter | None]


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a function that starts the service with an engine and settings."""
    opened: list[TestClient] = []

    def make(
        engine: Engine | None = None,
        describer: Describer | None = None,
        tools: Tools | None = None,
        **settings: object,
    ) -> TestClient:
        chosen = Settings(
            **{
                "data_dir": tmp_path,
                "auth": "off",
                "allowed_hosts": ("testserver",),
                "vision_url": "",
                **settings,
            }
        )
        app = create_app(chosen, engine or FakeEngine(), describer=describer, tools=tools)
        client = TestClient(app)
        client.__enter__()
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service for all tests of a file that leave nothing behind."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("chat"), auth="off", allowed_hosts=("testserver",), vision_url=""
    )
    with TestClient(create_app(settings, FakeEngine())) as client:
        yield client


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client()


@dataclass(frozen=True)
class Served:
    """A service behind a port, its engine, and the official client of it."""

    url: str
    engine: FakeEngine
    openai: OpenAI
    server: uvicorn.Server

    def leave(self, path: str, body: dict[str, object], when: Callable[[], object]) -> None:
        """Send a call, leave once `when` holds, and return when the service has noticed."""
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        port, before = int(self.url.rpartition(":")[2]), self._connections()
        with socket.create_connection(("127.0.0.1", port)) as caller:
            caller.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            until(when)
            mine = self._connections() - before
        until(lambda: not mine & self._connections())

    def _connections(self) -> set[object]:
        return set(self.server.server_state.connections)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Return a function that serves a fake engine on a free port, so that callers can leave."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(engine: FakeEngine | None = None, **settings: object) -> Served:
        engine = engine or FakeEngine()
        chosen = Settings(**{"data_dir": tmp_path, "auth": "off", **settings})  # type: ignore[arg-type]
        listener = socket.create_server(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(chosen, engine),
            log_config=None,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=600,  # a client that was held up still finds its connection
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        until(lambda: server.started)
        return Served(url, engine, OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0), server)

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(60)


def until(what: Callable[[], object], within_s: float = 60.0) -> None:
    """Poll until `what` holds."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "not so in time"
        time.sleep(0.01)


@pytest.fixture(name="until")
def _until() -> Callable[..., None]:
    """Return the function that polls."""
    return until


@pytest.fixture(scope="session")
def write_model() -> Callable[..., Path]:
    """Return a function that writes a GGUF llama with a byte vocabulary and random weights."""
    return _write_model


def _write_model(
    path: Path,
    *,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    hidden: int = 128,
    vocabulary: int = 259,
    context: int = 512,
    kind: str = "F32",
    template: str | None = None,
    architecture: str = "llama",
    kv_heads: int | None = None,
) -> Path:
    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokens = [*specials, *_byte_tokens(), *(f"<filler{n}>" for n in range(vocabulary - 259))]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads or heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(specials) + [1] * (len(tokens) - len(specials)))
    writer.add_token_merges(["h i"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)
    kv_width = width // heads * (kv_heads or heads)
    for name, shape in _shapes(width, layers, hidden, len(tokens), kv_width).items():
        _add(writer, name, shape, kind)
    if architecture == "qwen2":
        for layer in range(layers):
            for name, rows in (("q", width), ("k", kv_width), ("v", kv_width)):
                bias = np.linspace(-0.5, 0.5, rows, dtype=np.float32)
                writer.add_tensor(f"blk.{layer}.attn_{name}.bias", bias)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _byte_tokens() -> list[str]:
    """Return GPT-2's 256 letters, one for each byte."""
    shifted = iter(range(256))
    plain = {*range(33, 127), *range(161, 173), *range(174, 256)}
    return [chr(code) if code in plain else chr(256 + next(shifted)) for code in range(256)]


def _shapes(
    width: int, layers: int, hidden: int, vocabulary: int, kv_width: int
) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (vocabulary, width), "output_norm": (width,)}
    block = {"attn_q": (width, width), "attn_k": (kv_width, width), "attn_v": (kv_width, width),
             "attn_output": (width, width), "ffn_gate": (hidden, width), "ffn_up": (hidden, width),
             "ffn_down": (width, hidden), "attn_norm": (width,), "ffn_norm": (width,)}  # fmt: skip
    shapes |= {f"blk.{layer}.{name}": shape for layer in range(layers) for name, shape in block.items()}
    return shapes


def _add(writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], kind: str) -> None:
    if len(shape) == 1:
        writer.add_tensor(f"{name}.weight", np.ones(shape, np.float32))
        return
    random = np.random.default_rng(len(name))
    weights = (random.standard_normal(shape) * 0.05).astype(np.float32)
    stored = gguf.GGMLQuantizationType[kind]
    writer.add_tensor(f"{name}.weight", gguf.quants.quantize(weights, stored), raw_dtype=stored)


@pytest.fixture(scope="session")
def write_adapter() -> Callable[..., Path]:
    """Return a function that writes a LoRA for what `write_model` writes."""
    return _write_adapter


def _write_adapter(path: Path, *, architecture: str = "llama", width: int = 64, seed: int = 0) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 64.0)
    for name in ("blk.0.attn_q", "blk.1.attn_v", "blk.1.ffn_up"):
        rows = 128 if name.endswith("up") else width
        random = np.random.default_rng(rows + seed)
        for part, shape in (("lora_a", (2, width)), ("lora_b", (rows, 2))):
            writer.add_tensor(f"{name}.weight.{part}", random.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL server of our own and give its URL."""
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("PostgreSQL's server is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    port = free_port()
    as_user: list[str] = []
    if subprocess.run(["id", "-u"], capture_output=True, text=True, check=True).stdout.strip() == "0":
        as_user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        shutil.chown(folder, 65534, 65534)
    try:
        command = [*as_user, initdb, "-D", f"{folder}/data", "-U", "oficina", "-A", "trust", "--no-sync"]
        made = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        if made.returncode != 0:
            pytest.skip(f"PostgreSQL's server cannot be set up here: {made.stderr[-200:]}")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
        start = [
            *as_user,
            pg_ctl,
            "-D",
            f"{folder}/data",
            "-o",
            options,
            "-l",
            f"{folder}/log",
            "-w",
            "-t",
            "300",
            "start",
        ]
        subprocess.run(start, check=True, cwd=folder, stdout=subprocess.DEVNULL)
        yield f"postgresql+psycopg://oficina@127.0.0.1:{port}/postgres"
    finally:
        stop = [*as_user, pg_ctl, "-D", f"{folder}/data", "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/service.db"
    server = request.getfixturevalue("postgres")
    name = f"db{time.monotonic_ns()}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.dispose()
    return server.rsplit("/", 1)[0] + f"/{name}"
