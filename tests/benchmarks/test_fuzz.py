"""Short runs of the two mass runners, and that they would find what they look for."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import fuzz_files, fuzz_protocol
from devstral_ls.testing.fuzz import conversation, found_sessions
from devstral_ls.testing.fuzz.chance import INSTEAD, Chance
from devstral_ls.testing.fuzz.conversation import Broken, Session
from devstral_ls.testing.fuzz.files import kinds
from devstral_ls.testing.fuzz.files.kind import Kind, Read
from devstral_ls.testing.fuzz.sessions import URIS


def test_random_messages_break_no_promise(tmp_path: Path) -> None:
    total = fuzz_protocol.run(300, 5, tmp_path)
    assert total.found == []
    assert total.messages >= 300
    assert total.checks >= 5
    assert total.methods["textDocument/inlineCompletion"] > 10


@pytest.mark.parametrize("name", kinds.KINDS)
def test_hostile_files_break_no_reader(name: str, tmp_path: Path) -> None:
    kind = kinds.KINDS[name]
    read = kind.reader(tmp_path)
    for number in range(12):
        assert read(fuzz_files.made(kind, 11, number))


def test_the_same_seed_is_the_same_session() -> None:
    assert fuzz_protocol.session(3, 4, 500) == fuzz_protocol.session(3, 4, 500)
    steps = list(Chance("x").steps(200))
    assert repr(json.loads(json.dumps(steps))) == repr(json.loads(json.dumps(list(Chance("x").steps(200)))))


def test_what_is_damaged_in_one_message_is_no_part_of_the_next() -> None:
    chance, before = Chance("x"), repr(INSTEAD)
    for _ in range(300):
        message = {"params": chance.value()}
        for _ in range(3):
            chance.damage(message)
    assert repr(INSTEAD) == before


def test_a_document_that_is_not_what_it_must_be_is_found_and_kept_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "BATCH", 10)
    real = conversation.Editor.open

    def open_(self: conversation.Editor, number: int, text: str) -> None:
        real(self, number, text)
        if text == "x":
            self.texts[URIS[number]] = "y"

    monkeypatch.setattr(conversation.Editor, "open", open_)
    steps = [["notify", "no/such", None], ["open", 1, "x"], *[["notify", "$/such", None]] * 6]
    broken = found_sessions.replayed(Session("utf-8", steps))
    assert broken.startswith("document: ['file:///w/b.ts']")
    file = found_sessions.keep(Session("utf-8", steps), broken, "kept", 0, tmp_path)
    assert found_sessions.load(file).steps == [["open", 1, "x"]]


def test_what_is_left_out_goes_on_failing() -> None:
    def fails(one: Session) -> bool:
        return ["b"] in one.steps and ["e"] in one.steps

    whole = Session("utf-8", [[name] for name in "abcdefgh"])
    assert found_sessions.smallest(whole, fails).steps == [["b"], ["e"]]
    assert found_sessions.smallest(replace(whole, steps=[["b"], ["e"]]), fails).steps == [["b"], ["e"]]


def test_a_request_that_is_not_answered_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: conversation.Conversation) -> None:
        with monkeypatch.context() as patch:  # only now: a busy machine may have been slow to begin
            patch.setattr(conversation, "MOST_SECONDS", 0.5)
            self.wait()

    monkeypatch.setattr(conversation.Conversation, "check", check)
    steps = [["open", 0, "x = "], ["ask", "test/state", {"hold": True}], ["inline", 0, [0, 4]]]
    with pytest.raises(Broken, match=r"unanswered: .*inlineCompletion"):
        conversation.play(Session("utf-8", steps), tmp_path)


def test_a_server_that_dies_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = conversation.Conversation.begin

    def begin(self: conversation.Conversation, encoding: str) -> None:
        real(self, encoding)
        self.process.send_signal(signal.SIGSEGV)

    monkeypatch.setattr(conversation.Conversation, "begin", begin)
    with pytest.raises(Broken, match="crash: exit code -11"):
        conversation.play(Session("utf-8", [["open", 0, "x"]] * 60), tmp_path)


def _hostile(_folder: Path) -> Read:
    def read(data: bytes) -> str:
        match data:
            case b"1":
                raise ZeroDivisionError("one")
            case b"3":
                os.kill(os.getpid(), signal.SIGSEGV)
            case b"5":
                began = time.process_time()
                while time.process_time() - began < 60:
                    pass
        return "read"

    return read


def _numbered(chance: random.Random) -> bytes:
    return _NUMBERS[chance.random()]


BROKEN = Kind("broken", 1, _numbered, _hostile)
_NUMBERS = {random.Random(f"1/broken/{number}").random(): str(number).encode() for number in range(8)}


def test_an_exception_a_signal_and_too_much_time_are_found_and_the_rest_is_read(tmp_path: Path) -> None:
    result = fuzz_files.run(BROKEN, 8, 1, tmp_path, most_seconds=1.0)
    said = [line.split(": ", 1)[1].split(" at ")[0] for line in result.broken]
    assert said == ["ZeroDivisionError: one", "exit code -11", "more than 1 s"]
    assert result.outcomes == {"read": 5, "BUG ZeroDivisionError": 1}
    assert sorted(path.name for path in (tmp_path / "broken").iterdir()) == ["1-1", "1-3", "1-5"]


def test_every_kind_has_its_share() -> None:
    assert sum(kind.share for kind in kinds.KINDS.values()) == 100
    assert min(fuzz_files.shares(5, list(kinds.KINDS)).values()) == 1
