"""Dialogues into tokens, exactly as they are served: llama.cpp's tokenizer and the model's own chat template.

Reads only the vocabulary of the file. Lives in the child process.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llama_cpp import llama_cpp as api

from svc_chat.engine.base import Message
from svc_chat.engine.template import CHATML, ChatTemplate
from svc_chat.engine.tuning.examples import Dialogue
from svc_chat.errors import ModelBroken, TemplateFailed

_ANSWER = "answer"
_BEHIND_MOST = 3
"""Tokens behind an answer among which its end stands: a template may put a space or a line before it."""
_quiet = api.llama_log_callback(lambda level, text, data: None)


@dataclass(frozen=True)
class Encoded:
    """Tokens of one dialogue, and for each whether the model is to learn to write it."""

    tokens: tuple[int, ...]
    learned: tuple[bool, ...]


class Encoder:
    """The vocabulary and the template of a GGUF file.

    Raises:
        ModelBroken: the file has no vocabulary.
    """

    def __init__(self, path: Path):
        api.llama_log_set(_quiet, ctypes.c_void_p(0))
        api.llama_backend_init()
        params = api.llama_model_default_params()
        params.vocab_only = True
        model = api.llama_model_load_from_file(str(path).encode(), params)
        if not model:
            raise ModelBroken(f"The vocabulary of '{path.stem}' cannot be read.")
        self._vocab = api.llama_model_get_vocab(model)
        source = api.llama_model_chat_template(model, None)
        bos, eos = api.llama_vocab_bos(self._vocab), api.llama_vocab_eos(self._vocab)
        self._bos = bos if api.llama_vocab_get_add_bos(self._vocab) and bos >= 0 else None
        count = int(api.llama_vocab_n_tokens(self._vocab))
        control = [self._shown(t) for t in range(count) if api.llama_vocab_is_control(self._vocab, t)]
        self._template = ChatTemplate(
            source.decode("utf-8", "replace") if source else CHATML,
            bos=self._shown(bos) if bos >= 0 else "",
            eos=self._shown(eos) if eos >= 0 else "",
            control_tokens=control,
        )
        self.end = self._turn_end()

    def _turn_end(self) -> int:
        """Return the token that ends an answer: the one that the template puts behind it.

        What the vocabulary calls the end of a turn is llama.cpp's guess from its names, and may be a token that the
        model was never shown: an answer learned with it has no end.
        """
        turns = (Message("user", "?"), Message("assistant", _ANSWER), Message("user", "?"))
        with suppress(TemplateFailed):
            behind = self._tokenize(self._template.render(turns).rpartition(_ANSWER)[2], special=True)
            for token in behind[:_BEHIND_MOST]:
                if api.llama_vocab_is_eog(self._vocab, token):
                    return token
        guessed = api.llama_vocab_eot(self._vocab)
        return guessed if guessed >= 0 else api.llama_vocab_eos(self._vocab)

    def encode(self, dialogue: Dialogue) -> Encoded:
        """Return the dialogue as the model reads it, with the answers that it is to learn marked.

        An answer in the middle is marked only where the template shows it as it was written.

        Raises:
            TemplateFailed: the template refuses these messages.
        """
        last = dialogue.answers[-1]
        tokens = self._prompt(dialogue, last)
        learned = [False] * len(tokens)
        for place in dialogue.answers[:-1]:
            before = self._prompt(dialogue, place)
            after = [*before, *self._answer(dialogue.messages[place].content)]
            if tokens[: len(after)] == after:
                learned[len(before) : len(after)] = [True] * (len(after) - len(before))
        answer = self._answer(dialogue.messages[last].content)
        return Encoded((*tokens, *answer), (*learned, *([True] * len(answer))))

    def _prompt(self, dialogue: Dialogue, place: int) -> list[int]:
        """Return what is read before the answer at `place` is written."""
        text = self._template.render(dialogue.messages[:place], dialogue.tools)
        prompt = self._tokenize(text, special=True)
        missing = self._bos is not None and prompt[:1] != [self._bos]
        return [self._bos, *prompt] if self._bos is not None and missing else prompt

    def _answer(self, text: str) -> list[int]:
        return [*self._tokenize(text, special=False), self.end]

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        raw = text.encode()
        room = len(raw) + 2
        buffer = (api.llama_token * room)()
        count = api.llama_tokenize(self._vocab, raw, len(raw), buffer, room, False, special)
        return list(buffer[: max(count, 0)])

    def _shown(self, token: int) -> str:
        buffer = ctypes.create_string_buffer(256)
        count = api.llama_token_to_piece(self._vocab, token, buffer, 256, 0, True)
        return buffer.raw[: max(count, 0)].decode("utf-8", "replace")
