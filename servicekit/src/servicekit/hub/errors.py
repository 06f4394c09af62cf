"""What can go wrong with a model of a hub, each with the remedy in its sentence."""

from __future__ import annotations

from servicekit.errors import Forbidden, NotFound, ServiceError, UpstreamFailed
from servicekit.models.obstacle import DoesNotRun


class RepositoryNotFound(NotFound):
    """The hub has no such repository, revision or file, or hides it."""

    code = "repository_not_found"


class RepositoryGated(Forbidden):
    """The hub gives the repository only to accounts that accepted its terms."""

    code = "repository_gated"


class UnsafeModel(DoesNotRun):
    """The weights come only in formats that can run code when they are opened."""

    code = "unsafe_model"
    reason = "pickle"


class DoesNotFit(ServiceError):
    """This machine has too little memory or disk for the model."""

    status, code, type = 409, "model_does_not_fit", "invalid_request_error"


class HubUnreachable(UpstreamFailed):
    """The hub does not answer, or the service was told to stay offline."""

    code = "hub_unreachable"


class HashMismatch(UpstreamFailed):
    """What came is not what the hub promised."""

    code = "hash_mismatch"
