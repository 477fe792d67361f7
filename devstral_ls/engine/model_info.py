"""What a header and a running engine say about a model, as values for the middle and for people."""

from __future__ import annotations

from dataclasses import replace

from devstral_ls.engine.state import EngineState
from devstral_ls.engine.tuning.budget import LATENCY_MS, budget_for
from devstral_ls.engine.tuning.calibration import Calibrated
from devstral_ls.engine.tuning.rates import Rate
from devstral_ls.engine.tuning.sizing import prompt_budget
from devstral_ls.errors import displayable
from devstral_ls.generation import ModelInfo
from devstral_ls.models.families.control_tokens import control_names
from devstral_ls.models.families.table import bos_token, family_of, layouts_of
from devstral_ls.models.gguf.header import GgufHeader
from devstral_ls.models.memory import gigabytes


def model_info(
    name: str,
    header: GgufHeader,
    state: EngineState,
    rate: Rate | None,
    calibrated: Calibrated | None = None,
    latency_ms: int = LATENCY_MS,
) -> ModelInfo:
    """The model behind a ready engine, as it was ``calibrated`` for suggestions within ``latency_ms``; before that, by
    the ``rate`` seen, or the estimate it was started with.
    """
    prefill = rate.prefill if rate else state.prefill_rate
    info = ModelInfo(
        name=displayable(name),
        family=family_of(header).id,
        layouts=layouts_of(header),
        context_tokens=state.context_tokens,
        prompt_budget=prompt_budget(prefill, state.gpu_layers, state.context_tokens),
        bos=bos_token(header),
        parameters=header.n_params,
    )
    if calibrated is None:
        return info
    budget = budget_for(calibrated, state.batch, state.context_tokens, latency_ms)
    return replace(
        info,
        layouts=_in_order(info.layouts, calibrated.layouts),
        prompt_budget=budget.prompt_tokens,
        line_tokens=budget.line_tokens,
        lines_tokens=budget.lines_tokens,
        slow=budget.slow,
    )


def _in_order(candidates: tuple[str, ...], best_first: tuple[str, ...]) -> tuple[str, ...]:
    """``candidates`` as they were ranked; those that were not tried come last, in their own order."""
    tried = tuple(layout for layout in best_first if layout in candidates)
    return (*tried, *(layout for layout in candidates if layout not in tried))


def reserved_tokens(header: GgufHeader) -> frozenset[str]:
    """The control tokens that document text must never become: all that the vocabulary marks as control or user-defined,
    but for runs of spaces, letters and HTML tags, which some models have as "user defined" tokens of their own.
    """
    ids = {*header.fim_ids.values(), header.bos_id, header.eos_id}
    named = {name for name, token in header.control_tokens.items() if token in ids}
    return control_names(header.control_tokens) | named


def engine_name(state: EngineState) -> str:
    """What runs the model, for people."""
    return f"{state.software}, process {state.pid}"


def description(state: EngineState) -> str:
    """How a ready engine runs its model, for people."""
    where = "on the GPU" if state.gpu_layers == -1 else f"with {state.threads} thread{'s' * (state.threads != 1)}"
    if state.gpu_layers > 0:
        where = f"with {state.gpu_layers} layers on the GPU and {state.threads} threads"
    slots = f"{state.slots} slot{'s' * (state.slots != 1)} of {state.context_tokens} tokens"
    return f"{state.model} {where}, {slots}, KV cache in {state.kv_type}, {gigabytes(state.bytes_needed)} in all"


def slowness(name: str) -> tuple[str, str]:
    """What to tell people of a model that is too slow on this machine, and what they can do."""
    return (
        f"{name} is too slow on this machine for automatic suggestions; manual requests still work",
        "Use a smaller model (`devstral-ls model list`), raise inline.latencyBudgetMs, or measure again with"
        " `devstral-ls model calibrate --again` if the machine was busy.",
    )
