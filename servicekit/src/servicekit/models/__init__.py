"""Models of a service: the slot that holds a loaded one, the catalogue of those that exist, the routes.

Owns loading once, idle unloading, names and aliases, and the fits-this-machine arithmetic. Knows
nothing about frameworks: a model is whatever the `load` callable returns.
"""

from servicekit.models.aliases import DEFAULT_ALIASES
from servicekit.models.api import router
from servicekit.models.catalogue import Catalogue, CatalogueEntry, Machine
from servicekit.models.memory import Memory, NoMemory
from servicekit.models.registry import InstalledModel, Loadable, ServiceModels, listed, resolve
from servicekit.models.search import CatalogueQuery
from servicekit.models.slot import ModelSlot
from servicekit.models.warming import warm

__all__ = [
    "DEFAULT_ALIASES",
    "Catalogue",
    "CatalogueEntry",
    "CatalogueQuery",
    "InstalledModel",
    "Loadable",
    "Machine",
    "Memory",
    "ModelSlot",
    "NoMemory",
    "ServiceModels",
    "listed",
    "resolve",
    "router",
    "warm",
]
