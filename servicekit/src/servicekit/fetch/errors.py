"""The ways in which fetching a URL ends badly; all are the caller's to mend, so all are 400."""

from servicekit.errors import BadRequest


class UrlNotAllowed(BadRequest):
    """The URL is malformed, or leads to where no request may lead."""

    code = "url_not_allowed"


class UrlUnreachable(BadRequest):
    """The server did not answer, answered with an error, or took too long."""

    code = "url_unreachable"


class UrlTooLarge(BadRequest):
    """The content is over the size limit."""

    code = "url_too_large"


class UrlWrongType(BadRequest):
    """The content is of a type that this call does not read."""

    code = "url_wrong_type"
