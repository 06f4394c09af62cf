"""The error leaves of svc-vision."""

from __future__ import annotations

from servicekit.errors import InvalidBody, PayloadTooLarge


class MissingImage(InvalidBody):
    """Neither a file nor a URL came."""

    code = "missing_image"


class MissingQuestion(InvalidBody):
    """A question was to be answered and none came."""

    code = "missing_question"


class ImageTooLarge(PayloadTooLarge):
    """The file holds more bytes than are read."""

    code = "image_too_large"
