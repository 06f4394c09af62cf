"""The error leaves of svc-translate."""

from __future__ import annotations

from servicekit.errors import BadRequest, PayloadTooLarge


class UnknownLanguage(BadRequest):
    """The language is not one that any model here speaks."""

    code = "unknown_language"


class PairNotAvailable(BadRequest):
    """No model here translates in this direction."""

    code = "pair_not_available"


class LanguageNotDetected(BadRequest):
    """The text gives no hint of its language."""

    code = "language_not_detected"


class EmptyText(BadRequest):
    """There is nothing to translate."""

    code = "empty_text"


class TextTooLong(PayloadTooLarge):
    """More characters than one request may hold."""

    code = "text_too_long"
