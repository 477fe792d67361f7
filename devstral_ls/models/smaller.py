"""The next smaller model, by name, where one does not fit: an installed one, else one of the catalog."""

from __future__ import annotations

from pathlib import Path

from devstral_ls.models import store
from devstral_ls.models.catalog import MODELS
from devstral_ls.models.units import gigabytes

_ABOVE_WEIGHTS = 1.15
_BESIDE_BYTES = 300_000_000
"""What a model takes beside its weights with the least context, on the safe side: the cache grows with the model
(Devstral: 0.34 GB for 2,048 tokens), tables and buffers do not."""

_SMALLER = 0.95
"""Of the size: what is nearly as large is no way out."""


def needed_for(file_size: int) -> int:
    """About the bytes that a model of that file size takes while it runs, where nothing else is known of it."""
    return int(file_size * _ABOVE_WEIGHTS) + _BESIDE_BYTES


def smaller_model(models_dir: Path, file_size: int, available: int | None) -> str:
    """What to use instead of a model of ``file_size`` bytes, as one sentence; empty if there is nothing."""

    def fits(size: int) -> bool:
        return size < _SMALLER * file_size and (available is None or needed_for(size) <= available)

    installed = [model for model in store.installed(models_dir) if fits(model.size)]
    useful = [model for model in installed if not (model.name in MODELS and MODELS[model.name].for_tests)]
    if useful:
        return f'Use {useful[0].name!r}, which is installed and fits: set model.name to "{useful[0].name}" or "auto".'
    fitting = [row for row in MODELS.values() if not row.for_tests and fits(row.size)]
    if fitting:
        best = max(fitting, key=lambda row: row.size)
        return f"`devstral-ls model pull {best.name}` fetches the next smaller one ({gigabytes(best.size)})."
    return ""
