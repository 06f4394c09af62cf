"""Tells whether a service runs an entry of its catalogue: by the code that would refuse its install, offline."""

from __future__ import annotations

from servicekit.errors import ServiceError
from servicekit.hub.choosing import check_safe
from servicekit.hub.plan import Runs
from servicekit.models.catalogue import CatalogueEntry, Judge
from servicekit.models.obstacle import DoesNotRun, Obstacle


def judge(runs: Runs) -> Judge:
    """Return what judges the entries of a service whose engines `runs` speaks for.

    An entry that says nothing of its configuration is given the benefit: a plan will look at the hub's.
    """

    def why_not(entry: CatalogueEntry) -> Obstacle | None:
        if entry.builtin:
            return None
        if entry.repo is None:
            return Obstacle("not_on_a_hub", "is not fetched from a hub: it comes with the system's packages")
        try:
            check_safe(entry.files)
            if entry.config:
                runs(entry.config, entry.id)
        except DoesNotRun as error:
            return error.obstacle
        except ServiceError as error:
            return Obstacle("other", error.message)
        return None

    return why_not
