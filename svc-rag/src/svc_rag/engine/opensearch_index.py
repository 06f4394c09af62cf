"""The index, alias and search pipeline in OpenSearch: what they are called and how they are made.

Everything is made idempotently, so that any number of services may connect at once.
"""

from __future__ import annotations

import hashlib
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import RequestError

from svc_rag.engine.base import Space

ALIAS = "oficina-chunks"
VERSION = 1
PIPELINE = "oficina-hybrid"


def index_name() -> str:
    """Return the versioned index behind the alias; a new mapping gets a new version."""
    return f"{ALIAS}-v{VERSION}"


def index_name_of(space: Space) -> str:
    """Return the index that a space is filled in before the alias moves to it."""
    return f"{index_name()}-{hashlib.sha256(str(space).encode()).hexdigest()[:12]}"


def index_body(space: Space) -> dict[str, Any]:
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
        "dimension": space.dimension,
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
            "_meta": {"embedding_model": space.model, "dimension": space.dimension},
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


def ensure(client: OpenSearch, default: Space, text_weight: float, fusion: str) -> tuple[str, Space]:
    """Make what is missing; return the index behind the alias and the space of its vectors.

    Raises opensearchpy's exceptions when the server is away.
    """
    body = pipeline_body(text_weight, fusion)
    client.transport.perform_request("PUT", f"/_search/pipeline/{PIPELINE}", body=body)
    if not client.indices.exists_alias(name=ALIAS):
        name = index_name()
        make(client, name, default)
        client.indices.put_alias(index=name, name=ALIAS)
    ((name, mapping),) = client.indices.get_mapping(index=ALIAS).items()
    meta = mapping["mappings"].get("_meta", {})
    return name, Space(str(meta.get("embedding_model", "?")), int(meta.get("dimension", 0)))


def make(client: OpenSearch, name: str, space: Space) -> None:
    """Make an index unless it is there."""
    if client.indices.exists(index=name):
        return
    try:
        client.indices.create(index=name, body=index_body(space))
    except RequestError as exc:
        # Another service made it between the two calls.
        if exc.error != "resource_already_exists_exception":
            raise


def move_alias(client: OpenSearch, old: str, new: str) -> None:
    """Let the alias stand for `new`, in one step."""
    actions = [
        {"remove": {"index": old, "alias": ALIAS}},
        {"add": {"index": new, "alias": ALIAS}},
    ]
    client.indices.update_aliases(body={"actions": actions})


def drop_others(client: OpenSearch, *kept: str) -> None:
    """Delete every index of ours but `kept`."""
    there = client.indices.get(index=f"{index_name()}*", params={"allow_no_indices": "true"})
    for name in there:
        if name not in kept and (name == index_name() or name.startswith(f"{index_name()}-")):
            client.indices.delete(index=name, params={"ignore_unavailable": "true"})
