"""Settings of svc-chat; `CHAT_` is the prefix, the plain names work too."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from pydantic import Field, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from servicekit.models import DEFAULT_ALIASES, Machine
from servicekit.settings import CommaList, ServiceSettings, comma_list
from svc_chat.other_servers import OtherServer, check_names, read_servers

_BUILTIN = Path(__file__).resolve().parents[2] / "models" / "oficina-chat" / "oficina-chat.gguf"
_ANALYST = _BUILTIN.parents[1] / "oficina-analysis" / "oficina-analysis.gguf"

BUDGET_SHARE = 0.6
"""Part of the memory for models; the rest is for what they read, the other services and the system."""


class Settings(ServiceSettings):
    """What svc-chat can be told."""

    # a refusal of the settings together would print them, keys of other servers among them
    model_config = SettingsConfigDict(env_prefix="CHAT_")
    renamed = MappingProxyType({"loaded_models_mb": "memory_budget_mb"})

    service: str = "svc-chat"
    port: int = 8002
    data_dir: Path = Path("data/svc-chat")

    model_path: Path = _BUILTIN
    """The built-in model, a GGUF file."""
    model_paths: CommaList = ()
    """More GGUF files or folders of them, separated by commas; a model's id is its file's name without `.gguf`."""
    adapter_paths: CommaList = ()
    """LoRA files, each with its base: `base-id=path,…`; the ids are `base-id+file name`."""
    loaded_models_mb: int = Field(default=0, ge=0)
    """MiB that this service's loaded models may take; 0: six tenths of the machine's (or container's) memory. Not
    the gateway's budget, which is that of all services."""
    probe_timeout_s: float = Field(default=120.0, gt=0)
    """Seconds that a trial of an unknown GGUF file may take, more for large ones."""
    ld_library_path: str = ""
    """Where the processes that try files out find shared libraries (CUDA's, say)."""
    default_model: str = ""
    """Id of the model that answers when none is named; empty: the first that there is."""
    model_aliases: dict[str, str] = Field(
        default_factory=lambda: {alias: task for alias, task in DEFAULT_ALIASES.items() if task == "chat"}
    )
    """Names that existing clients send, and the model or task each stands for (JSON)."""
    context_tokens: int = 4096
    """Tokens of prompt and answer together that a model is loaded for, at most what it was trained for."""
    parallel: int = Field(default=16, ge=1, le=32)
    """Answers that one model writes at once."""
    cache_mb: int = Field(default=1024, ge=1)
    """Most megabytes for what a loaded model has read (its key-value memory): four full contexts, if they fit."""
    spill_mb: int = Field(default=256, ge=0)
    """Megabytes for beginnings of conversations that found no room there."""
    max_tokens: int = 2048
    """Most tokens of one answer."""
    default_max_tokens: int = 512
    """Tokens of an answer when the caller names no limit."""
    max_waiting: int = 32
    """Answers that may wait beside those being written; one more is refused with 429."""
    request_timeout_s: float = 300.0
    """Seconds after which an answer is ended."""

    background_max: int = Field(default=16, ge=1)
    """Background responses of one caller that may wait or be written; one more is refused with 429."""
    background_running: int = Field(default=2, ge=1)
    """Background responses that are written at once; the others wait for their turn."""
    history_retention_days: float = Field(default=0.0, ge=0)
    """Days after which unused conversations and responses are removed; 0 keeps them."""

    run_life_s: float = Field(default=600.0, gt=0)
    """Seconds after which a run of an assistant that has not ended expires."""
    runs_at_once: int = Field(default=8, ge=1)
    """Runs that are worked on at once; the others stay queued."""
    runs_max: int = Field(default=32, ge=1)
    """Active runs of one caller; one more is refused with 429."""
    files_quota_bytes: int = Field(default=10 * 1024**3, ge=0)
    """Bytes that all files of one caller may take."""
    uploads_at_once: int = Field(default=8, ge=1)
    """Files that are taken in at the same time; one more is refused with 429."""
    code_url: str = ""
    """svc-code, which runs code for assistants: its URL, or `unix:` and its socket; empty: no code is run."""
    code_timeout_s: float = 180.0
    """Seconds that one execution may take, waiting included."""
    rag_url: str = "http://127.0.0.1:8006"
    """svc-rag, which searches the text of files; empty: nothing is searched."""
    rag_timeout_s: float = 60.0
    """Seconds that it may take."""

    train_base: str = ""
    """Id of the model that `/train` trains on; empty: the default model."""
    trainings_waiting: int = Field(default=8, ge=1)
    """Trainings that may wait for their turn; one more is refused with 429."""

    ollama_host: str = ""
    """An Ollama server, such as `http://127.0.0.1:11434`, or several, each with a name: `name=url,…`; empty: none."""
    ollama_timeout: float = 300.0
    """Seconds that an Ollama server may take."""
    openai_base_url: str = ""
    """An OpenAI-compatible server, such as `http://127.0.0.1:8000/v1`, or several: `name=url,…`; empty: none."""
    openai_api_key: str = ""
    """Its key; with several servers one for each, in the same order, separated by commas."""
    openai_vision_models: CommaList = ()
    """Their models that read pictures, separated by commas, `*` for all; for the others pictures are described."""

    vision_url: str = "http://127.0.0.1:8004"
    """svc-vision, which describes pictures to models that cannot see; empty: pictures are refused."""
    vision_timeout_s: float = 60.0
    """Seconds that the description of a picture may take."""

    @property
    def adapters(self) -> tuple[tuple[str, Path], ...]:
        """The adapters: (base model's id, file)."""
        pairs = (entry.partition("=") for entry in self.adapter_paths)
        return tuple((base.strip(), Path(path.strip())) for base, _, path in pairs)

    @property
    def ollama_servers(self) -> tuple[OtherServer, ...]:
        """The Ollama servers."""
        return read_servers(self.ollama_host, "OLLAMA_HOST")

    @property
    def openai_servers(self) -> tuple[OtherServer, ...]:
        """The OpenAI-compatible servers."""
        return read_servers(self.openai_base_url, "OPENAI_BASE_URL", self.openai_api_key, "OPENAI_API_KEY")

    @property
    def loaded_models_bytes(self) -> int:
        """What this service's loaded models may take."""
        if self.loaded_models_mb:
            return self.loaded_models_mb << 20
        return int(Machine.measure().memory_bytes * BUDGET_SHARE)

    @property
    def builtin_model_path(self) -> Path:
        """The model that comes with the repository."""
        return _BUILTIN

    @property
    def analysis_model_path(self) -> Path:
        """The built-in model's other half, which writes code about tables in its place."""
        return _ANALYST

    @field_validator("model_paths", "adapter_paths", "openai_vision_models", mode="before")
    @classmethod
    def _split_paths(cls, value: object) -> object:
        return comma_list(value)

    @field_validator("adapter_paths")
    @classmethod
    def _with_base(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            base, _, path = entry.partition("=")
            if not base.strip() or not path.strip():
                raise ValueError(f"CHAT_ADAPTER_PATHS has {entry!r}; write base-id=path")
        return value

    @field_validator("ollama_host")
    @classmethod
    def _with_scheme(cls, value: str) -> str:
        servers = read_servers(value, "OLLAMA_HOST")
        return ",".join((f"{s.name}=" if s.name else "") + _ollama_url(s.url) for s in servers)

    @model_validator(mode="after")
    def _servers_told_apart(self) -> Settings:
        check_names((*self.ollama_servers, *self.openai_servers))
        return self


def _ollama_url(value: str) -> str:
    url = value if "://" in value else f"http://{value}"
    has_port = ":" in url.split("://", 1)[1]
    return url.rstrip("/") if has_port else f"{url.rstrip('/')}:11434"
