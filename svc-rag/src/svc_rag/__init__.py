"""svc-rag: questions over your own documents, answered with citations that were checked."""

__version__ = "0.1.0"
