"""Settings of svc-image-gen; `IMAGE_GEN_` is the prefix, the plain names work too."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from servicekit.models import DEFAULT_ALIASES
from servicekit.settings import CommaList, ServiceSettings

_BUILTIN = Path(__file__).resolve().parents[2] / "models" / "draw"
BUILTIN_ID = "oficina-draw"


class Settings(ServiceSettings):
    """What svc-image-gen can be told."""

    model_config = SettingsConfigDict(env_prefix="IMAGE_GEN_")

    service: str = "svc-image-gen"
    port: int = 8003
    data_dir: Path = Path("data/svc-image-gen")

    model_path: Path = _BUILTIN
    """The built-in model; the id of another diffusers folder is the folder's name."""
    stable_diffusion_model: str = ""
    """A diffusers folder, or the hub id of a model in the local cache, that draws by default. One that
    is not there is logged, and its name becomes an alias of the built-in model."""
    model_aliases: dict[str, str] = Field(
        default_factory=lambda: {alias: task for alias, task in DEFAULT_ALIASES.items() if task == "image"}
    )
    """Names that existing clients send, and the model or task each stands for (JSON)."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Of a large model's weights; auto: fp16 on CUDA, bf16 where the processor computes in it, else fp32."""
    enable_memory_efficient_attention: bool = True
    """Attention in slices where no fused kernel is there; costs nothing elsewhere."""
    enable_vae_slicing: bool = True
    """Decode pictures one by one."""
    decoder: Literal["full", "small"] = "full"
    """What makes the finished picture where a request does not say: the model's own decoder, or the small one (taesd)
    where it is installed, in a sixteenth of the time and a little less sharp."""
    max_waiting: int = 32
    """Jobs that may wait; one more is answered 429."""
    sync_timeout_s: float = 900.0
    """Seconds that a call waits for its pictures; the job goes on after that."""
    preview_every_s: float = 0.5
    """Least seconds between two previews of a picture in the making; 0 sends none."""
    niceness: int = 19
    """Priority of the drawing thread, 0 to 19 (19: only when nobody else wants the processor, where Linux allows it)."""
    extra_model_paths: CommaList = ()
    """More diffusers folders, separated by commas."""

    @property
    def builtin_model_path(self) -> Path:
        """The model that comes with the repository."""
        return _BUILTIN
