"""The miniatures that read and write text: the chat model and the two translators."""


def trainers() -> dict[str, str]:
    """Return the trainers that `python -m miniatures train` offers, by name."""
    return {"translate": "miniatures.text.translate_train", "chat": "miniatures.text.chat_train"}
