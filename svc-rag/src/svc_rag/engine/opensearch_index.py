"""The index, alias and search pipeline in OpenSearch: what they are called and how they are made.

Everything is made idempotently, so that any number of services may connect at once.
"""

from __future__ import annotations

from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

ALIAS = "oficina-chunks"
VERSION = 1
PIPELINE = "oficina-hybrid"


def index_name() -> str:
    """Return the versioned index behind the alias; a new mapping gets a new version."""
    return f"{ALIAS}-v{VERSION}"


def index_body(dimension: int, embedding_model: str) -> dict[str, Any]:
    """Return settings and mapping; vectors are searched, never returned (they tripled the index)."""
    keyword: dict[str, Any] = {"type": "keyword"}
    number: dict[str, Any] = {"type": "integer", "index": False}
    text = {
        "type": "text",
        "analyzer": "folded",
        "fields": {
            "pt": {"type": "text", "analyzer": "portuguese"},
            "en": {"type": "text", "analyzer": "english"},
        },
    }
    vector = {
        "type": "knn_vector",
        "dimension": dimension,
        "method": {
            "name": "hnsw", "engine": "lucene", "space_type": "cosinesimil",
            "parameters": {"m": 16, "ef_construction": 128},
        },
    }  # fmt: skip
    return {
        "settings": {
            "index": {"knn": True, "number_of_shards": 1, "number_of_replicas": 0},
            "analysis": {
                "analyzer": {
                    "folded": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}
                }
            },
        },
        "mappings": {
            "dynamic": "strict",
            "_meta": {"embedding_model": embedding_model, "dimension": dimension},
            "_source": {"excludes": ["vector"]},
            "properties": {
                "document_id": keyword, "owner": keyword, "n": {"type": "integer"}, "page": number,
                "start": number, "end": number, "text": text, "vector": vector,
            },
        },
    }  # fmt: skip


def pipeline_body(text_weight: float, fusion: str) -> dict[str, Any]:
    """Return the search pipeline that fuses the two parts of a hybrid query."""
    if fusion == "rrf":
        processor: dict[str, Any] = {"score-ranker-processor": {"combination": {"technique": "rrf"}}}
    else:
        weights = [round(text_weight, 4), round(1 - text_weight, 4)]
        combination: dict[str, Any] = {"technique": "arithmetic_mean", "parameters": {"weights": weights}}
        normalization: dict[str, Any] = {"technique": "min_max"}
        processor = {"normalization-processor": {"normalization": normalization, "combination": combination}}
    return {"description": "Fuses words and vectors.", "phase_results_processors": [processor]}


def ensure(client: OpenSearch, dimension: int, embedding_model: str, text_weight: float, fusion: str) -> None:
    """Make what is missing. Raises opensearchpy's exceptions when the server is away."""
    name = index_name()
    body = pipeline_body(text_weight, fusion)
    client.transport.perform_request("PUT", f"/_search/pipeline/{PIPELINE}", body=body)
    if not client.indices.exists(index=name):
        try:
            client.indices.create(
                index=name, body=index_body(dimension, embedding_model) | {"aliases": {ALIAS: {}}}
            )
        except RequestError as exc:
            # Another service made it between the two calls.
            if exc.error != "resource_already_exists_exception":
                raise
    if not client.indices.exists_alias(name=ALIAS):
        client.indices.put_alias(index=name, name=ALIAS)


def made_with(client: OpenSearch) -> tuple[str, int]:
    """Return the embedding model and dimension that the index was made with."""
    mapping = client.indices.get_mapping(index=ALIAS)
    meta = next(iter(mapping.values()))["mappings"].get("_meta", {})
    return str(meta.get("embedding_model", "?")), int(meta.get("dimension", 0))
