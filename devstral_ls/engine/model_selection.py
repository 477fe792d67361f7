"""Which of the installed model files the user's options mean."""

from __future__ import annotations

from collections.abc import Collection

from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.engine.tuning.rates import Rates
from devstral_ls.models import store
from devstral_ls.models.catalog import MODELS
from devstral_ls.platform.paths import Directories

_LINE_TOKENS = 12
"""Of one line of code, about."""

_TOO_LATE = 4
"""Times the latency budget: a line that takes longer is of no use while the user types."""


def wanted(options: EngineOptions, directories: Directories, unfit: Collection[str] = ()) -> EngineSpec:
    """The engine ``options`` ask for: with the model they name, or the best installed one whose ``file_key`` is not in
    ``unfit`` and that is not known to be too slow - or the best of all if that is the fate of each.

    Raises:
        ModelNotFound: no such model, or none at all.
    """
    if options.model == store.AUTO:
        models = _installed(options, directories)
        fitting = [spec for spec in models if spec.file_key not in unfit]
        rates = Rates(directories.data / "rates.json")
        quick = [spec for spec in fitting if _line_ms(spec, rates) <= _TOO_LATE * options.latency_budget_ms]
        if models:
            return ([spec for spec in quick if _is_useful(spec)] or fitting or models)[0]
    model = store.choose(directories.models, options.model)
    return spec_of(model.path, model.name, options, directories)


def passed_over(
    chosen: EngineSpec, options: EngineOptions, directories: Directories, unfit: Collection[str] = ()
) -> str:
    """Which better models ``auto`` did not take, and why, for people; empty if it took the best."""
    if options.model != store.AUTO:
        return ""
    rates = Rates(directories.data / "rates.json")
    said = []
    for spec in _installed(options, directories):
        if spec.file_key == chosen.file_key:
            break
        line_ms = _line_ms(spec, rates)
        why = "does not fit" if spec.file_key in unfit else f"takes {line_ms / 1000:.1f} s for a line"
        said.append(f"{spec.model_name} {why}")
    return f" ({'; '.join(said)})" if said else ""


def _installed(options: EngineOptions, directories: Directories) -> list[EngineSpec]:
    """Best first."""
    return [spec_of(model.path, model.name, options, directories) for model in store.installed(directories.models)]


def _is_useful(spec: EngineSpec) -> bool:
    return not (spec.model_name in MODELS and MODELS[spec.model_name].for_tests)


def _line_ms(spec: EngineSpec, rates: Rates) -> float:
    """How long one line takes here, by what was measured on the processor; 0 where nothing was."""
    rate = rates.of_file(spec.file_key)
    return _LINE_TOKENS / rate.decode * 1000 if rate and rate.decode else 0.0
