"""Reviews are experimental: ``actions.review`` and the size of the model decide whether they are available."""

from __future__ import annotations

from dataclasses import replace

import pytest

from devstral_ls.actions.offer import OfferRequest, offers
from devstral_ls.actions.table import ACTIONS, REVIEW_PARAMETERS, switched_off
from devstral_ls.languages.syntax.document_tree import parse_once
from devstral_ls.settings.tree import ReviewMode
from devstral_ls.testing.scripted_engine import QWEN, ScriptedEngine
from tests.actions.bench import act, placed

SMALL = replace(QWEN, parameters=494_000_000)
LARGE = replace(QWEN, parameters=23_600_000_000)

CODE = "def last(v):▮\n    return v[len(v)]\n"
REPAIRED = "    return v[len(v) - 1]\n```"


@pytest.mark.parametrize(
    ("parameters", "review", "is_on"),
    [
        (494_000_000, "auto", False),
        (REVIEW_PARAMETERS - 1, "auto", False),
        (6_740_000_000, "auto", True),  # CodeLlama 7B
        (None, "auto", True),  # a remote server that does not tell it
        (494_000_000, "on", True),
        (23_600_000_000, "off", False),
        (None, "off", False),
    ],
)
async def test_the_setting_and_the_size_of_the_model_decide(
    parameters: int | None, review: ReviewMode, is_on: bool
) -> None:
    model = replace(QWEN, parameters=parameters)
    snapshot, span = placed(CODE)
    menu = offers(OfferRequest(snapshot, span, review=review), parse_once(snapshot), model)
    assert ("review" in {offer.action.id for offer in menu}) is is_on
    done = await act("review", CODE, REPAIRED, engine=ScriptedEngine(REPAIRED, model=model), review=review)
    assert (done.result is not None) is is_on
    assert bool(done.engine.requests) is is_on


def test_every_other_action_is_offered_with_a_small_model() -> None:
    assert [row.id for row in ACTIONS.values() if switched_off(row, "off", SMALL)] == ["review"]
    assert not any(switched_off(row, "auto", LARGE) for row in ACTIONS.values())


def test_without_a_ready_model_reviews_are_offered_as_all_else() -> None:
    assert switched_off(ACTIONS["review"], "auto", None) == ""


def test_the_title_says_that_it_is_experimental() -> None:
    snapshot, span = placed(CODE)
    titles = {offer.action.id: offer.title for offer in offers(OfferRequest(snapshot, span), None, LARGE)}
    assert titles["review"].endswith("(experimental)")
    assert not any("experimental" in title for action, title in titles.items() if action != "review")
