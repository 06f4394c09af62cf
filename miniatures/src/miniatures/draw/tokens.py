"""The drawing model's tokenizer: CLIP's own kind, learned from the prompts of the small world."""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from miniatures.draw.prompts import WRAPPINGS, random_prompt
from miniatures.scenes.model import random_scene

LENGTH = 40
VOCABULARY = 1200
SENTENCES = 20_000
START, END = "<|startoftext|>", "<|endoftext|>"


def train(folder: Path, seed: int) -> CLIPTokenizer:
    """Learn byte pairs from prompts and write a CLIP tokenizer to `folder`."""
    rng = random.Random(seed)
    learner = Tokenizer(models.BPE(unk_token=END, end_of_word_suffix="</w>"))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    learner.decoder = decoders.BPEDecoder(suffix="</w>")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        initial_alphabet=letters,
        end_of_word_suffix="</w>",
        show_progress=False,
        special_tokens=[START, END],
        min_frequency=1,
    )
    wrappings = [w.format("") for group in WRAPPINGS.values() for w in group]
    prompts = [random_prompt(random_scene(rng), rng) for _ in range(SENTENCES)]
    learner.train_from_iterator(wrappings + prompts, trainer)
    learned = json.loads(learner.to_str())["model"]
    vocabulary = dict(learned["vocab"])
    # Every letter must also be known at the end of a word, so that any text can be written.
    for letter in letters:
        vocabulary.setdefault(letter + "</w>", len(vocabulary))
    merges = [tuple(pair) if isinstance(pair, list) else tuple(pair.split(" ")) for pair in learned["merges"]]
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=LENGTH, pad_token=END)
    tokenizer.save_pretrained(folder)
    return CLIPTokenizer.from_pretrained(folder)
