"""Proposes a smaller model where one does not fit: an installed one, else one of the catalog."""

from __future__ import annotations

from pathlib import Path

from devstral_ls.models import store
from devstral_ls.models.catalog import MODELS
from devstral_ls.models.memory import gigabytes, memory_needed_by_size

_SMALLER = 0.95
"""The largest share of the model's size that an alternative may have; one of nearly the same size would not fit either."""


def smaller_model(models_dir: Path, file_size: int, available: int | None) -> str:
    """A sentence that names a model to use instead of one of ``file_size`` bytes; empty if there is none."""

    def fits(size: int) -> bool:
        return size < _SMALLER * file_size and (available is None or memory_needed_by_size(size) <= available)

    installed = [model for model in store.installed(models_dir) if fits(model.size)]
    useful = [model for model in installed if not (model.name in MODELS and MODELS[model.name].for_tests)]
    if useful:
        return f'Use {useful[0].name!r}, which is installed and fits: set model.name to "{useful[0].name}" or "auto".'
    fitting = [row for row in MODELS.values() if not row.for_tests and fits(row.size)]
    if fitting:
        best = max(fitting, key=lambda row: row.size)
        return f"`devstral-ls model pull {best.name}` fetches the next smaller one ({gigabytes(best.size)})."
    return ""
