"""Names that existing clients send for models that may not be installed, and the task each means."""

from collections.abc import Mapping
from types import MappingProxyType

_CHAT = (
    "llama3.2:latest",
    "phi3:mini",
    "gpt-4-1106-preview",
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-4",
    "gpt-3.5-turbo",
)
_IMAGE = ("dall-e-2", "dall-e-3", "gpt-image-1")
_SPEECH = ("tts-1", "tts-1-hd", "gpt-4o-mini-tts")
_EMBEDDING = ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")

#: Alias → task (or model id): resolved only when no model of that very name is installed.
DEFAULT_ALIASES: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(_CHAT, "chat")
    | dict.fromkeys(_IMAGE, "image")
    | dict.fromkeys(_SPEECH, "speech")
    | dict.fromkeys(_EMBEDDING, "embedding")
)
