"""The service's error leaves. Knows nothing about HTTP beyond what servicekit.errors says."""

from __future__ import annotations

from servicekit.errors import BadRequest, Conflict, NotFound, NotReady, PayloadTooLarge, UnsupportedMedia


class DocumentUnreadable(BadRequest):
    """The file is of a kind we know but cannot be read."""

    code = "document_unreadable"


class DocumentEncrypted(BadRequest):
    """The file needs a password."""

    code = "document_encrypted"


class DocumentTooComplex(PayloadTooLarge):
    """Reading the file would take more memory, time, pages or members than allowed."""

    code = "document_too_complex"


class DocumentUnsupported(UnsupportedMedia):
    """The file is of no kind that we parse."""

    code = "document_unsupported"


class StoreNotReady(NotReady):
    """The search store does not answer; what was acknowledged is kept and indexed later."""

    code = "store_not_ready"


class SpaceChanged(StoreNotReady):
    """The documents were moved to another embedder in this very moment; the call is made again with it."""

    def __init__(self) -> None:
        super().__init__("The documents have just moved to another embedder; try again.", retry_after_s=1)


class EmbedderMissing(StoreNotReady):
    """The documents are indexed with an embedder that is not here."""

    code = "embedder_missing"

    def __init__(self, model: str):
        super().__init__(
            f"The documents are indexed with '{model[:100]}', which is not installed. Install it again "
            "(POST /v1/models/install), or index them with another embedder (POST /v1/embedder)."
        )


class DocumentTooLarge(PayloadTooLarge):
    """The file has more bytes than are kept."""

    code = "document_too_large"


class DocumentNotFound(NotFound):
    """There is no such document, or it belongs to somebody else."""

    code = "document_not_found"


class DocumentNotReady(Conflict):
    """The document has not been read yet."""

    code = "document_not_ready"


class StoreNotFound(NotFound):
    """There is no such vector store, or it belongs to somebody else."""

    code = "vector_store_not_found"

    def __init__(self, store_id: str):
        super().__init__(
            f"There is no vector store '{store_id[:80]}'. GET /v1/vector_stores lists yours.",
            param="vector_store_id",
        )


class StoreExpired(BadRequest):
    """The vector store was not used for so long that its files were removed."""

    code = "vector_store_expired"

    def __init__(self, store_id: str):
        super().__init__(
            f"The vector store '{store_id[:80]}' has expired. Make a new one with its files.",
            param="vector_store_id",
        )
