"""Which models of the catalog fit this machine, by their size and its memory, and which one to begin with."""

from __future__ import annotations

from devstral_ls.engine.devices import Memory
from devstral_ls.models.catalog import MODELS, CatalogModel
from devstral_ls.models.memory import memory_needed_by_size

DEVSTRAL = "devstral-small-2507"
STARTER = "starter"


def fits(model: CatalogModel, memory: Memory) -> bool | None:
    """True when ``model`` fits the GPUs or the main memory; None where it does not fit the GPUs and the rest is unknown."""
    need = memory_needed_by_size(model.size)
    if memory.gpu >= need:
        return True
    return None if memory.ram is None else memory.ram >= need


def recommended(memory: Memory) -> str:
    """The name of the model to begin with on a machine with that memory: Devstral where it fits the GPUs."""
    return DEVSTRAL if memory.gpu >= memory_needed_by_size(MODELS[DEVSTRAL].size) else STARTER
