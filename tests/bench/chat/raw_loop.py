"""The ceiling in Python: llama.cpp's low-level API in a plain loop, in a process of its own, no HTTP.

Run as a script: `raw_loop.py MODEL THREADS`. Each line on standard input is a job in JSON (`prompts`,
`temperature`, `max_tokens`, `top_k`, `top_p`, `min_p`), each line on standard output its result. Needs only
llama_cpp and numpy, so that it runs without this repository's packages.
"""

from __future__ import annotations

import ctypes
import json
import statistics
import sys
import time
from collections.abc import Iterable
from typing import Any

import llama_cpp as api
import numpy as np

SEQUENCES_MAX = 16
CONTEXT_TOKENS = 8192
BATCH_TOKENS = 512


class RawLoop:
    """A model and a context for up to 16 sequences in one unified key-value memory."""

    def __init__(self, file: str, threads: int):
        api.llama_backend_init()
        self._model = api.llama_model_load_from_file(file.encode(), api.llama_model_default_params())
        if not self._model:
            raise SystemExit(f"llama.cpp cannot load {file}")
        settings = api.llama_context_default_params()
        settings.n_ctx, settings.n_seq_max, settings.kv_unified = CONTEXT_TOKENS, SEQUENCES_MAX, True
        settings.n_batch = settings.n_ubatch = BATCH_TOKENS
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = api.LLAMA_FLASH_ATTN_TYPE_ENABLED
        self._context = api.llama_init_from_model(self._model, settings)
        self._memory = api.llama_get_memory(self._context)
        self._vocab = api.llama_model_get_vocab(self._model)
        self._batch = api.llama_batch_init(BATCH_TOKENS, 0, 1)
        as_array = np.ctypeslib.as_array
        self._tokens = as_array(self._batch.token, (BATCH_TOKENS,))
        self._positions = as_array(self._batch.pos, (BATCH_TOKENS,))
        self._wanted = as_array(self._batch.logits, (BATCH_TOKENS,))
        for index in range(BATCH_TOKENS):
            self._batch.n_seq_id[index] = 1

    def run(self, job: dict[str, Any]) -> dict[str, float]:
        """Write an answer to every prompt at once."""
        api.llama_memory_clear(self._memory, True)
        samplers = [_sampler(job, seed) for seed, _ in enumerate(job["prompts"], 1)]
        started = time.perf_counter()
        prompts = [self._tokenize(prompt) for prompt in job["prompts"]]
        latest, firsts = self._read(prompts, samplers, started)
        for step in range(job["max_tokens"] - 1):
            for index, token in enumerate(latest):
                self._place(index, token, len(prompts[index]) + step, index, wanted=True)
            self._decode(len(latest))
            latest = [
                api.llama_sampler_sample(sampler, self._context, index)
                for index, sampler in enumerate(samplers)
            ]
        seconds = time.perf_counter() - started
        for sampler in samplers:
            api.llama_sampler_free(sampler)
        return {
            "tokens_per_s": len(prompts) * job["max_tokens"] / seconds,
            "first_s": statistics.median(firsts),
        }

    def _read(
        self, prompts: list[list[int]], samplers: list[Any], started: float
    ) -> tuple[list[int], list[float]]:
        """Read all prompts in full batches; return each sequence's first token and its second."""
        latest, firsts = [0] * len(prompts), [0.0] * len(prompts)
        ends: list[tuple[int, int]] = []
        filled = 0
        everything = [(s, p, t) for s, prompt in enumerate(prompts) for p, t in enumerate(prompt)]
        for number, (sequence, position, token) in enumerate(everything, 1):
            last = position == len(prompts[sequence]) - 1
            self._place(filled, token, position, sequence, wanted=last)
            if last:
                ends.append((sequence, filled))
            filled += 1
            if filled == BATCH_TOKENS or number == len(everything):
                self._decode(filled)
                for ended, index in ends:
                    latest[ended] = api.llama_sampler_sample(samplers[ended], self._context, index)
                    firsts[ended] = time.perf_counter() - started
                ends, filled = [], 0
        return latest, firsts

    def _place(self, index: int, token: int, position: int, sequence: int, *, wanted: bool) -> None:
        self._tokens[index], self._positions[index], self._wanted[index] = token, position, wanted
        self._batch.seq_id[index][0] = sequence

    def _decode(self, count: int) -> None:
        self._batch.n_tokens = count
        if status := api.llama_decode(self._context, self._batch):
            raise RuntimeError(f"llama_decode returned {status}")

    def _tokenize(self, text: str) -> list[int]:
        raw = text.encode()
        room = (ctypes.c_int32 * (len(raw) + 8))()
        count = api.llama_tokenize(self._vocab, raw, len(raw), room, len(room), False, True)
        return list(room[:count])


def _sampler(job: dict[str, Any], seed: int) -> Any:
    """Make the chain that llama.cpp's own tools use: the cut to `top_k` first, or the likeliest alone."""
    chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
    links: Iterable[Any]
    if job["temperature"] == 0:
        links = (api.llama_sampler_init_greedy(),)
    else:
        links = (
            api.llama_sampler_init_top_k(job["top_k"]),
            api.llama_sampler_init_top_p(job["top_p"], 1),
            api.llama_sampler_init_min_p(job["min_p"], 1),
            api.llama_sampler_init_temp(job["temperature"]),
            api.llama_sampler_init_dist(seed),
        )
    for link in links:
        api.llama_sampler_chain_add(chain, link)
    return chain


def main() -> None:
    """Do jobs until standard input ends."""
    loop = RawLoop(sys.argv[1], int(sys.argv[2]))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(loop.run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
