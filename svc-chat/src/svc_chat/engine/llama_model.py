"""One GGUF model in memory: the only file that imports llama_cpp. Owned by one thread at a time."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from llama_cpp import Llama, LlamaGrammar, llama_cpp

from servicekit.logs import log_event
from svc_chat.engine.base import GenerationRequest, Sampling, TokenLogprob
from svc_chat.engine.template import CHATML, ChatTemplate
from svc_chat.errors import ModelBroken

SMALL_MODEL_BYTES = 64 * 1024 * 1024
"""Below this a second thread waits longer than it works. Measured 2026-11-21 on two busy cores with a 0.4 MB
model: about 0.5 s a token with two threads, 0.3 ms with one."""
log = logging.getLogger(__name__)


class LlamaModel:
    """A loaded model with its context, tokenizer and template.

    Args:
        path: a GGUF file.
        context_tokens: wanted context; at most what the model was trained for is used.
        threads: processor threads.

    Raises:
        ModelBroken: the file is not a model that llama.cpp can load.
    """

    def __init__(self, path: Path, *, context_tokens: int, threads: int):
        _check_magic(path)
        try:
            trained = _trained_context(path)
            threads = 1 if path.stat().st_size < SMALL_MODEL_BYTES else threads
            self._llama = Llama(
                model_path=str(path),
                n_ctx=min(context_tokens, trained) if trained else context_tokens,
                n_threads=threads,
                n_threads_batch=threads,
                n_batch=256,
                flash_attn=True,
                verbose=False,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise ModelBroken(f"The model '{path.stem}' cannot be loaded: its file is broken.") from error
        self._vocab = self._llama._model.vocab
        self.template = self._read_template()
        log_event(log, "model loaded", model=path.stem, context_tokens=self.context_tokens)

    @property
    def context_tokens(self) -> int:
        """Tokens of prompt and answer together."""
        return int(self._llama.n_ctx())

    def prompt_tokens(self, request: GenerationRequest) -> list[int]:
        """Return the tokens of the prompt, chat template and answer prefix applied."""
        if request.prompt is not None:
            return self._llama.tokenize((request.prompt + request.answer_prefix).encode(), special=False)
        text = self.template.render(request.messages, request.tools) + request.answer_prefix
        tokens = self._llama.tokenize(text.encode(), add_bos=False, special=True)
        bos = self._llama.token_bos()
        wants_bos = llama_cpp.llama_vocab_get_add_bos(self._vocab)
        return [bos, *tokens] if wants_bos and bos >= 0 and tokens[:1] != [bos] else tokens

    def cached_prefix(self, tokens: Sequence[int]) -> int:
        """Return how many leading tokens are still in the model's memory."""
        kept = self._llama._input_ids
        length = min(len(kept), len(tokens) - 1)
        differs = np.nonzero(kept[:length] != np.asarray(tokens[:length]))[0]
        return int(differs[0]) if len(differs) else max(length, 0)

    def tokens(
        self, prompt: Sequence[int], sampling: Sampling, grammar: LlamaGrammar | None
    ) -> Iterator[int]:
        """Yield tokens until the end-of-generation token; closing the iterator stops at once."""
        if sampling.seed is not None:
            self._llama.set_seed(sampling.seed & 0xFFFFFFFF)
        else:
            self._llama.set_seed(int(np.random.default_rng().integers(2**32 - 1)))
        generator = self._llama.generate(
            list(prompt),
            temp=sampling.temperature,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            frequency_penalty=sampling.frequency_penalty,
            presence_penalty=sampling.presence_penalty,
            repeat_penalty=sampling.repeat_penalty,
            grammar=grammar,
        )
        with contextlib.closing(generator):
            for token in generator:
                if llama_cpp.llama_vocab_is_eog(self._vocab, token):
                    return
                yield int(token)

    def piece(self, token: int) -> bytes:
        """Return the bytes that `token` stands for; control tokens are empty."""
        return self._llama.detokenize([token], special=False)

    def logprob(self, token: int, top: int) -> TokenLogprob:
        """Return the log-probability of the token just chosen, before temperature, with `top` others."""
        size = self._llama.n_vocab()
        pointer = llama_cpp.llama_get_logits_ith(self._llama._ctx.ctx, -1)
        logits = np.ctypeslib.as_array(pointer, shape=(size,)).astype(np.float64)
        logprobs = logits - (logits.max() + np.log(np.exp(logits - logits.max()).sum()))
        best = np.argsort(-logprobs)[:top]
        others = tuple((self._shown(int(t)), float(logprobs[t])) for t in best)
        return TokenLogprob(self._shown(token), float(logprobs[token]), others)

    def grammar(self, schema: Mapping[str, Any]) -> LlamaGrammar:
        """Return the grammar of a JSON schema.

        Raises:
            ValueError: the schema cannot be expressed.
        """
        return LlamaGrammar.from_json_schema(json.dumps(schema), verbose=False)

    def close(self) -> None:
        """Free the model's memory."""
        self._llama.close()

    def _shown(self, token: int) -> str:
        return self._llama.detokenize([token], special=True).decode("utf-8", "replace")

    def _read_template(self) -> ChatTemplate:
        source = self._llama.metadata.get("tokenizer.chat_template") or CHATML
        control = [
            self._shown(token)
            for token in range(self._llama.n_vocab())
            if llama_cpp.llama_vocab_is_control(self._vocab, token)
        ]
        bos, eos = self._llama.token_bos(), self._llama.token_eos()
        return ChatTemplate(
            source,
            bos=self._shown(bos) if bos >= 0 else "",
            eos=self._shown(eos) if eos >= 0 else "",
            control_tokens=control,
        )


def _check_magic(path: Path) -> None:
    """Refuse what is not GGUF before llama.cpp sees it."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelBroken(f"The model '{path.stem}' is not there: its file is missing.") from error
    if magic != b"GGUF":
        raise ModelBroken(f"The model '{path.stem}' cannot be loaded: its file is not GGUF.")


def _trained_context(path: Path) -> int | None:
    """Read the context that the model was trained for from the file's header."""
    probe = Llama(model_path=str(path), vocab_only=True, n_ctx=8, verbose=False)
    try:
        name = probe.metadata.get("general.architecture", "llama")
        value = probe.metadata.get(f"{name}.context_length")
        return int(value) if value else None
    finally:
        probe.close()
