"""Finds documents that nobody is reading or that the search store does not hold, and has them read again.

After a crash between record and job, after a backup is put back (record and jobs are copied one after the
other, OpenSearch not at all) and after a change of the store. Knows neither HTTP nor the job library.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from svc_rag.domain.library import Library
from svc_rag.engine.base import Document

Again = Callable[[Document], None]
"""Submits a new job that reads a document. Raises TooBusy."""
IsSettled = Callable[[Document], bool]
"""Tells whether a job looks after the document already, or nobody wants one."""
SETTLED_S = 60.0
"""A younger document may be between its record and its job, in the hands of whoever takes it in."""
log = logging.getLogger(__name__)


def mend(library: Library, is_settled: IsSettled, again: Again) -> int:
    """Submit a job for each document that needs one; return how many. Blocks; the store must be connected.

    Raises: StoreNotReady, TooBusy; call it again later, what was submitted is not submitted twice.
    """
    submitted = 0
    for document in library.record.all():
        young = time.time() - document.created_at < SETTLED_S
        if document.status == "failed" or young or is_settled(document):
            continue
        unread = document.status in ("queued", "processing")
        if unread or (document.chunks and not library.store.count(document.owner, [document.id])):
            again(document)
            submitted += 1
    if submitted:
        log.info("documents are read again", extra={"fields": {"documents": submitted}})
    return submitted
