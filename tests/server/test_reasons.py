"""Every reason code has its sentence."""

from __future__ import annotations

import pytest

from devstral_ls.server.features.reasons import REASONS
from devstral_ls.suggest.trace import Reason


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_a_reason_is_one_sentence_and_its_advice_another(reason: Reason) -> None:
    explanation = REASONS[reason]
    for sentence in (explanation.sentence, explanation.hint or explanation.sentence):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "\n" not in sentence
        assert len(sentence) < 120
