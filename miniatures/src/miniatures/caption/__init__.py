"""The captioner: a small vision transformer that writes what it sees with a small GPT-2."""
