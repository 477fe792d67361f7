"""Which model file the user's options mean, of those that are installed."""

from __future__ import annotations

from collections.abc import Collection

from devstral_ls.directories import Directories
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.models import store


def wanted(options: EngineOptions, directories: Directories, unfit: Collection[str] = ()) -> EngineSpec:
    """The engine ``options`` ask for: with the model they name, or the best installed one whose ``file_key`` is not in
    ``unfit`` - or the best of all if that is the fate of each.

    Raises:
        ModelNotFound: no such model, or none at all.
    """
    if options.model == store.AUTO:
        models = [
            spec_of(model.path, model.name, options, directories) for model in store.installed(directories.models)
        ]
        fitting = [spec for spec in models if spec.file_key not in unfit]
        if models:
            return (fitting or models)[0]
    model = store.choose(directories.models, options.model)
    return spec_of(model.path, model.name, options, directories)
