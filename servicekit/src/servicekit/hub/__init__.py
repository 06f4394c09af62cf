"""Public models from a hub: what a repository holds, whether it fits, and installing it as a durable job.

Owns the choice of files, the checks before a byte of weights is fetched, the download that goes on where it broke
off, and the shelf where verified models stand. Knows nothing about what runs a model: a service brings its formats,
its estimate of memory, and is told when a model has come or goes.
"""

from servicekit.hub import browser
from servicekit.hub.api import router
from servicekit.hub.choosing import Format, Layout, RepoFile
from servicekit.hub.connecting import connect, editions, queue_for, routers, start, stop
from servicekit.hub.installs import KIND, Installs
from servicekit.hub.plan import Estimate, Needs, Plan, Planner, Runs, Target
from servicekit.hub.repository import HubRepository, Repository
from servicekit.hub.shelf import Shelf, ShelfModel
from servicekit.hub.weights import numbers_in

__all__ = [
    "KIND",
    "Estimate",
    "Format",
    "HubRepository",
    "Installs",
    "Layout",
    "Needs",
    "Plan",
    "Planner",
    "RepoFile",
    "Repository",
    "Runs",
    "Shelf",
    "ShelfModel",
    "Target",
    "browser",
    "connect",
    "editions",
    "numbers_in",
    "queue_for",
    "router",
    "routers",
    "start",
    "stop",
]
