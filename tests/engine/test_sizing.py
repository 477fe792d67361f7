"""The numbers an engine is started with, and what they are learned from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from devstral_ls.engine.restart_policy import Deaths, RestartPolicy
from devstral_ls.engine.spec import EngineOptions, EngineSpec, spec_of
from devstral_ls.engine.tuning.calibration import Calibrated
from devstral_ls.engine.tuning.rates import Rate, Rates
from devstral_ls.engine.tuning.sizing import (
    Machine,
    Plan,
    batch_for,
    estimated_rate,
    physical_cores,
    plan,
    prompt_budget,
)
from devstral_ls.errors import ModelTooBig
from devstral_ls.generation import Usage
from devstral_ls.models.gguf.header import GgufHeader, read_header
from devstral_ls.platform.paths import Directories

GB = 10**9
BIG = Machine(cores=8, available=100 * GB)


@pytest.fixture(scope="session")
def header(devstral_shaped: Path) -> GgufHeader:
    return read_header(devstral_shaped)


def planned(header: GgufHeader, machine: Machine = BIG, rate: Rate | None = None, **options: object) -> Plan:
    return plan(asked(header.path, **options), header, machine, rate)


def asked(path: Path, **options: object) -> EngineSpec:
    return spec_of(path, "m", EngineOptions(**options), Directories(Path("/d"), Path("/r"), Path("/c")))  # type: ignore[arg-type]


@pytest.mark.parametrize(("rate", "batch"), [(1.0, 4), (42.0, 8), (80.0, 12), (1234.0, 184), (9999.0, 512)])
def test_a_batch_is_a_moment_of_work_in_steps_of_four(rate: float, batch: int) -> None:
    assert batch_for(rate) == batch


def test_before_the_first_measurement_the_rate_is_a_guess() -> None:
    assert estimated_rate(500_000_000, 1) == 80.0
    assert estimated_rate(24_000_000_000, 8) == pytest.approx(13.3, abs=0.1)


@pytest.mark.parametrize(
    ("rate", "gpu_layers", "context", "budget"),
    [
        (10.0, 0, 4096, 256),
        (100.0, 0, 4096, 600),
        (5000.0, 0, 4096, 2048),
        (1.0, -1, 8192, 2048),
        (5000.0, 0, 512, 384),
    ],
)
def test_the_prompt_budget_is_six_seconds(rate: float, gpu_layers: int, context: int, budget: int) -> None:
    assert prompt_budget(rate, gpu_layers, context) == budget


@pytest.mark.parametrize(
    ("cores", "wish", "threads"), [(1, "auto", 1), (2, "auto", 1), (8, "auto", 7), (2, 6, 6), (2, 0, 1)]
)
def test_one_core_is_left_to_the_editor(cores: int, wish: object, threads: int, header: GgufHeader) -> None:
    assert planned(header, Machine(cores, 100 * GB), threads=wish).threads == threads


def test_hyperthreads_are_not_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3, 7})
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        folder = tmp_path / f"cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")
    assert physical_cores(tmp_path) == 3


def test_plenty_of_memory_means_four_slots(header: GgufHeader) -> None:
    found = planned(header)
    assert (found.slots, found.context_tokens) == (4, 4096)


def test_what_does_not_fit_gets_fewer_slots_then_less_context(header: GgufHeader) -> None:
    for slots in (4, 2, 1):
        room = planned(header, slots=slots).fit.total
        found = planned(header, Machine(8, room), slots=slots)
        assert (found.slots, found.context_tokens, found.kv_type) == (slots, 4096, "f16")
    steps = [(found.slots, found.context_tokens, found.kv_type) for found in narrowing(header)]
    assert steps == [
        (4, 4096, "f16"), (4, 4096, "q8_0"), (2, 4096, "f16"), (2, 4096, "q8_0"), (1, 4096, "f16"), (1, 4096, "q8_0"),
        (1, 2048, "f16"), (1, 2048, "q8_0"),
    ]  # fmt: skip
    with pytest.raises(ModelTooBig):
        planned(header, Machine(8, 1_000_000))


def narrowing(header: GgufHeader) -> Iterator[Plan]:
    """The plans on machines that each lack a byte for the plan before."""
    room = 100 * GB
    while True:
        try:
            found = planned(header, Machine(8, room))
        except ModelTooBig:
            return
        room = found.fit.total - 1
        yield found


def test_on_a_gpu_the_context_is_halved_until_all_layers_fit(header: GgufHeader) -> None:
    """Devstral Small on cards of 24, 18 and 16 GB."""
    devstral = replace(
        header, weights_bytes=14_326_000_000, kv_heads_total=320, head_dim=128, head_dim_v=128, n_embd=5120,
        n_vocab=131_072, n_layers=40, context_length=131_072,
    )  # fmt: skip
    found = [planned(devstral, Machine(8, 32 * GB, gpu_free=free)) for free in (24 * GB, 18 * GB, 16_900_000_000)]
    assert [(plan.context_tokens, plan.slots, plan.kv_type, plan.gpu_layers) for plan in found] == [
        (8192, 4, "f16", -1), (8192, 2, "q8_0", -1), (4096, 1, "q8_0", -1),
    ]  # fmt: skip


def test_a_head_that_q8_0_cannot_hold_stays_in_f16(header: GgufHeader) -> None:
    odd = replace(header, head_dim=48, head_dim_v=48)
    assert {found.kv_type for found in narrowing(odd)} == {"f16"}


def test_all_on_the_gpu_in_q8_0_is_better_than_a_part_of_it_in_f16(header: GgufHeader) -> None:
    wide = replace(header, kv_heads_total=header.kv_heads_total * 100)
    every = planned(wide, Machine(8, 100 * GB, gpu_free=100 * GB), slots=2)
    some = Machine(8, 100 * GB, gpu_free=int((every.fit.total - 1) / 0.9))
    found = planned(wide, some, slots=2)
    assert (found.gpu_layers, found.kv_type, found.context_tokens) == (-1, "q8_0", every.context_tokens)


def test_a_cache_that_would_eat_the_memory_gets_two_slots(header: GgufHeader) -> None:
    wide = replace(header, kv_heads_total=header.kv_heads_total * 1000)
    need = planned(wide, slots=4).fit
    assert planned(wide, Machine(8, need.kv * 5)).slots == 4
    assert (planned(wide, Machine(8, need.kv * 3)).slots, planned(wide, Machine(8, need.kv * 3)).kv_type) == (4, "q8_0")
    assert planned(wide, Machine(8, need.kv * 2)).slots == 2


def test_wishes_are_kept_but_the_models_context_is_the_most(header: GgufHeader) -> None:
    found = planned(header, slots=3, context_tokens=700)
    assert (found.slots, found.context_tokens) == (3, 700)
    assert planned(header, context_tokens=99_999).context_tokens == header.context_length


def test_a_measured_rate_decides_the_batch(header: GgufHeader) -> None:
    assert planned(header, rate=Rate(200.0)).batch == 32


def test_a_gpu_takes_all_it_has_room_for(header: GgufHeader) -> None:
    total = planned(header, Machine(8, 100 * GB, gpu_free=100 * GB)).fit.total
    every = planned(header, Machine(8, 100 * GB, gpu_free=100 * GB))
    assert (every.gpu_layers, every.batch) == (-1, 512)
    some = planned(header, Machine(8, 100 * GB, gpu_free=total * 6 // 10))
    assert 0 < some.gpu_layers < header.n_layers
    assert planned(header).gpu_layers == 0


def test_unknown_memory_is_enough(header: GgufHeader) -> None:
    assert planned(header, Machine(8, None)).slots == 4


def usage(new: int, ms: float, cached: int = 0, generated: int = 0, decode_ms: float = 0.0) -> Usage:
    return Usage(new + cached, cached, generated, ms, decode_ms)


def test_rates_are_learned_and_remembered(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "rates.json"
    rates = Rates(file)
    assert rates.get("k") is None
    rates.observe("k", usage(100, 1000.0, cached=50, generated=20, decode_ms=500.0))
    assert rates.get("k") == Rate(100.0, 40.0)
    rates.observe("k", usage(512, 512 / 0.2))
    assert rates.get("k") == Rate(150.0, 40.0)
    rates.save()
    assert Rates(file).get("k") == Rate(150.0, 40.0)
    assert not rates.unsaved


@pytest.mark.parametrize("cost", [usage(31, 100.0), usage(0, 0.0), usage(100, 0.0)])
def test_what_says_nothing_is_not_learned_from(cost: Usage, tmp_path: Path) -> None:
    rates = Rates(tmp_path / "rates.json")
    rates.observe("k", cost)
    assert rates.get("k") is None
    rates.save()
    assert not (tmp_path / "rates.json").exists()


def test_two_servers_do_not_lose_each_others_rates(tmp_path: Path) -> None:
    one, other = Rates(tmp_path / "r.json"), Rates(tmp_path / "r.json")
    one.observe("a", usage(100, 1000.0))
    other.observe("b", usage(100, 500.0))
    one.save()
    other.save()
    assert Rates(tmp_path / "r.json").get("a") == Rate(100.0)
    assert Rates(tmp_path / "r.json").get("b") == Rate(200.0)


@pytest.mark.parametrize("content", ["", "nonsense", "[]", '{"k": 1}', '{"k": {"prefill": "x"}}'])
def test_a_damaged_file_of_rates_is_as_good_as_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text(content)
    rates = Rates(tmp_path / "r.json")
    assert rates.get("k") is None
    rates.observe("k", usage(100, 1000.0))
    rates.save()
    assert Rates(tmp_path / "r.json").get("k") == Rate(100.0)


def test_waiting_grows_until_it_is_no_use() -> None:
    now = [0.0]
    deaths = Deaths(RestartPolicy(first=0.5, most=3.0, deaths=5, within=100.0), lambda: now[0])
    waits = [deaths.add() for _ in range(5)]
    assert waits == [0.5, 1.0, 2.0, 3.0, None]
    now[0] = 101.0
    assert deaths.add() == 0.5
    deaths.forget()
    assert deaths.add() == 0.5


def test_the_key_knows_what_makes_two_engines_different(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"x")
    spec = asked(path)
    assert spec.key == asked(path, idle_minutes=1.0).key
    assert len({spec.key, *(asked(path, **{name: 2}).key for name in ("slots", "threads", "context_tokens"))}) == 4
    link = tmp_path / "link.gguf"
    link.symlink_to(path)
    assert asked(link).key == spec.key
    path.write_bytes(b"yy")
    assert asked(path).key != spec.key
    assert EngineSpec.from_json(spec.to_json()) == spec


def test_what_was_calibrated_goes_before_the_rate_seen(header: GgufHeader) -> None:
    found = Calibrated(("chat-prefill",), batch_ms=20, token_ms=5.3, decode_ms=13, first_line_tokens=12)
    chosen = plan(asked(header.path), header, BIG, Rate(1000.0), found)
    assert chosen.batch == 24
    assert chosen.prefill_rate == found.prefill_rate(24)
    on_gpu = plan(asked(header.path), header, replace(BIG, gpu_free=50 * GB), Rate(1000.0), found)
    assert on_gpu.batch == 512


def test_a_rate_measured_on_purpose_takes_the_place_of_what_was_seen(tmp_path: Path) -> None:
    rates = Rates(tmp_path / "rates.json")
    rates.observe("m", Usage(1000, 0, 20, 1000.0, 1000.0))
    rates.put("m", Rate(50.0, 10.0))
    rates.save()
    assert Rates(tmp_path / "rates.json").get("m") == Rate(50.0, 10.0)
