"""Settings of svc-rag; `RAG_` is the prefix, the plain names work too."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from servicekit.models import DEFAULT_ALIASES
from servicekit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What svc-rag can be told."""

    model_config = SettingsConfigDict(env_prefix="RAG_")

    service: str = "svc-rag"
    port: int = 8006
    data_dir: Path = Path("data/svc-rag")

    search_store: Literal["sqlite", "opensearch"] = "sqlite"
    """Where chunks are searched; the documents' record is SQLite either way."""
    opensearch_url: str = "http://127.0.0.1:9200"
    """The OpenSearch server, when `search_store` is opensearch."""
    fusion: Literal["minmax", "rrf"] = "minmax"
    """How words and vectors become one ranking: weighted mean of min-max scores, or reciprocal ranks."""
    text_weight: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the words in the weighted mean."""

    chat_url: str = "http://127.0.0.1:8002"
    """The chat service that answers from the passages found."""
    chat_timeout_s: float = 60.0
    """Seconds that it may take; then the best sentence itself is quoted."""
    max_answer_tokens: int = 160
    """Most tokens of an answer."""

    embedder: Literal["minilm", "hashing"] = "minilm"
    """all-MiniLM-L6-v2, or word hashes without any weights (for tests)."""
    reranker: str = ""
    """Id of an installed reranker that reads the passages of each search and question again, where a request says
    nothing of it; without it, or while it is not installed, nobody does."""
    embed_threads: int = 1
    """Processor threads of one embedding pass; more than one suffers badly beside other load."""
    model_aliases: dict[str, str] = Field(
        default_factory=lambda: {name: task for name, task in DEFAULT_ALIASES.items() if task == "embedding"}
    )
    """Names that existing clients send, and the model or task each stands for (JSON)."""

    max_document_bytes: int = 50 * 1024 * 1024
    """Largest document in bytes."""
    chunk_chars: int = 900
    """Most characters of a chunk."""
    chunk_overlap_chars: int = 150
    """Characters, in whole sentences, that a chunk repeats of the one before."""
    parse_timeout_s: float = 60.0
    """Seconds that reading one file may take."""
    parse_memory_bytes: int = 512 * 1024 * 1024
    """Memory that reading one file may take."""
    fetch_timeout_s: float = 10.0
    """Seconds that fetching a document by URL may take."""
    max_fetch_bytes: int = 20 * 1024 * 1024
    """Largest document in bytes that is fetched by URL; larger ones are uploaded."""
    max_waiting_jobs: int = 64
    """Documents that may wait to be read; one more is answered 429."""
