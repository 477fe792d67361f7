"""What became of a suggestion, as it is seen in the document: code with a cursor (▮), and what the user does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devstral_ls.statistics.acceptance import MAX_FOLLOWED, MAX_TEXT, READ_S, AcceptanceTracker
from devstral_ls.statistics.counters import kept, looked_at
from devstral_ls.statistics.retention import is_kept
from devstral_ls.text import DocumentChange, Edit, Snapshot, Span

URI = "file:///a.py"


class Sheet:
    """One document, a cursor in it, and a clock of its own."""

    def __init__(self, code: str) -> None:
        self.now = 0.0
        self.counted: Counter[str] = Counter()
        self.following = AcceptanceTracker(self._count, lambda: self.now)
        self.cursor = code.index("▮")
        self.document = Snapshot(URI, 1, "python", code.replace("▮", ""))
        self.text = ""

    def _count(self, language: str, model: str, name: str, n: int) -> None:
        assert (language, model) == ("python", "m")
        self.counted[name] += n

    def shown(self, text: str, id: str = "1") -> None:  # noqa: A002
        self.text = text
        self.following.shown(self.document, self.cursor, (id, text), "python", "m")

    def put(self, text: str, *, at: int | None = None, over: int = 0) -> None:
        """Replace ``over`` characters, at the cursor unless told where."""
        start = self.cursor if at is None else at
        edit = Edit(Span(start, start + over), text)
        after = self.document.edited(edit, self.document.version + 1)
        self.following.changed(DocumentChange(self.document, after, (edit,)))
        self.document = after
        self.cursor = start + len(text)

    def type(self, text: str) -> None:
        for key in text:
            self.put(key)

    def tab(self, *, tells: bool = True, over: int = 0) -> None:
        """Take the suggestion whole."""
        self.put(self.text, over=over)
        if tells:
            self.following.accepted("1")

    def after(self, seconds: float) -> None:
        """So much later: what is due is looked at."""
        self.now += seconds
        for look in self.following.looks(lambda uri: self.document):
            self.counted[looked_at(look.seconds)] += 1
            self.counted[kept(look.seconds)] += is_kept(look)

    def said(self) -> dict[str, int]:
        """What was counted, but for what every suggestion counts."""
        return {name: n for name, n in self.counted.items() if n and not name.startswith("shown")}


def test_a_block_shown_by_its_first_lines_and_then_whole_is_one_suggestion() -> None:
    sheet = Sheet("def f():\n    ▮\n")
    sheet.shown("a = 1\n    b = 2")
    sheet.type("a =")
    sheet.shown(" 1\n    b = 2\n    return a", id="2")
    assert (sheet.counted["shown"], sheet.counted["shown.chars"]) == (1, len("a = 1\n    b = 2\n    return a"))
    sheet.put(sheet.text)
    sheet.following.accepted("2")
    assert (sheet.said()["accepted"], sheet.said()["accepted.chars"]) == (1, len(sheet.text))


def test_another_suggestion_at_the_same_place_is_another() -> None:
    sheet = Sheet("x = ▮\n")
    sheet.shown("foo")
    sheet.shown("bar(1)", id="2")
    assert sheet.counted["shown"] == 2


Do = Callable[[Sheet], object]


def _typed_through(sheet: Sheet) -> None:
    for n, key in enumerate("foo(a)"):
        sheet.type(key)
        sheet.shown("foo(a)"[n + 1 :])


FATES: list[tuple[str, str, Do, dict[str, int]]] = [
    ("x = ▮\n", "foo(a)", lambda s: s.tab(), {"accepted": 1, "accepted.chars": 6, "read": 1}),
    # An editor that reports nothing, and one that reports it first.
    ("x = ▮\n", "foo(a)", lambda s: s.tab(tells=False), {"accepted": 1, "accepted.chars": 6, "read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.following.accepted("1"), s.put("foo(a)")],
     {"accepted": 1, "accepted.chars": 6, "read": 1}),
    # Told twice counts once.
    ("x = ▮\n", "foo(a)", lambda s: [s.tab(), s.following.accepted("1")],
     {"accepted": 1, "accepted.chars": 6, "read": 1}),
    # A closer behind the cursor is replaced.
    ("foo(▮)\n", "a, b)", lambda s: s.tab(over=1), {"accepted": 1, "accepted.chars": 5, "read": 1}),
    ("foo(▮\n", ")", lambda s: s.tab(), {"accepted": 1, "accepted.chars": 1, "read": 1}),
    # The editor puts it in with another indentation; the line end may have been typed.
    ("if x:▮\n", "\n  a()\n  b()", lambda s: [s.put("\n\ta()\n\tb()"), s.following.accepted("1")],
     {"accepted": 1, "accepted.chars": 11, "read": 1}),
    # Typed, all of it, or the first half before it is taken.
    ("x = ▮\n", "foo(a)", _typed_through, {"typed": 1, "read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.type("fo"), s.put("o(a)"), s.following.accepted("1")],
     {"accepted": 1, "accepted.chars": 4, "read": 1}),
    # By word: to the end, and not.
    ("x = ▮\n", "foo.bar", lambda s: [s.put("foo"), s.put(".bar")], {"accepted": 1, "accepted.chars": 7, "read": 1}),
    ("x = ▮\n", "foo.bar", lambda s: [s.put("foo"), s.type("()")], {"partly": 1, "accepted.chars": 3, "read": 1}),
    # A bracket that the editor closes is no acceptance; nor is a line end with its indentation.
    ("x = ▮\n", "()[0]", lambda s: [s.put("()", over=0), s.type("x")], {}),
    ("if x:▮\n", "\n    a()", lambda s: [s.put("\n    "), s.type("z")], {}),
    # Another way, before and after there was time to read.
    ("x = ▮\n", "foo(a)", lambda s: s.type("b"), {}),
    ("x = ▮\n", "foo(a)", lambda s: [s.after(READ_S), s.type("b")], {"read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.after(READ_S), s.type("fb")], {"read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.after(READ_S), s.following.nothing_shown(URI)], {"read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.after(READ_S), s.shown("else", "2")], {"read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.after(READ_S), s.following.closed(URI)], {"read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.following.rejected("1"), s.type("b")], {"rejected": 1, "read": 1}),
    # Somebody edits above meanwhile, or in the line before the cursor.
    ("\nx = ▮\n", "foo(a)", lambda s: [s.put("y = 1", at=0), setattr(s, "cursor", 10), s.tab()],
     {"accepted": 1, "accepted.chars": 6, "read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.after(READ_S), s.put("", at=1, over=3)], {"read": 1}),
    # The suggestion is long past, or unknown.
    ("x = ▮\n", "foo(a)", lambda s: [s.type("b"), s.following.accepted("1")],
     {"accepted": 1, "accepted.chars": 6, "read": 1}),
    ("x = ▮\n", "foo(a)", lambda s: [s.following.accepted("?"), s.following.rejected("?")], {}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "text", "does", "said"), FATES)
def test_what_became_of_it(code: str, text: str, does: Do, said: dict[str, int]) -> None:
    sheet = Sheet(code)
    sheet.shown(text)
    does(sheet)
    assert sheet.said() == said


def test_a_suggestion_that_stays_while_it_is_typed_or_comes_back_is_shown_once() -> None:
    sheet = Sheet("x = ▮\n")
    sheet.shown("foo(a)")
    _typed_through(sheet)
    assert (sheet.counted["shown"], sheet.counted["shown.chars"]) == (1, 6)
    sheet = Sheet("x = ▮\n")
    for _ in range(3):
        sheet.shown("foo(a)")
        sheet.after(READ_S)
        sheet.following.nothing_shown(URI)
    assert (sheet.counted["shown"], sheet.counted["read"]) == (1, 1)


KEPT = [
    ("left as it is", lambda s: s, 1, 1),
    ("code above and below", lambda s: [s.put("import a\n", at=0), s.put("\ny = 2\n", at=len(s.document.text))], 1, 1),
    ("code right before and behind", lambda s: [s.put("await ", at=4), s.put(" or None", at=10 + len(s.text))], 1, 1),
    ("a name changed", lambda s: s.put("baz", at=8, over=3), 1, 1),
    ("formatted by one edit of everything", lambda s: s.put("x = foo(\n    bar,\n    qux\n)\n# end", at=0, over=99), 1, 1),
    ("taken back", lambda s: s.put("", at=4, over=len(s.text)), 0, 0),
    ("written anew", lambda s: s.put("[y for y in z]", at=4, over=len(s.text)), 0, 0),
    ("half of it gone", lambda s: s.put("", at=7, over=len(s.text) - 3), 0, 0),
    ("gone with its line", lambda s: s.put("", at=0, over=len(s.document.text)), 0, 0),
]  # fmt: skip


@pytest.mark.parametrize(("what", "does", "after_30_s", "after_5_min"), KEPT)
def test_is_it_kept(what: str, does: Do, after_30_s: int, after_5_min: int) -> None:
    sheet = Sheet("x = ▮\n")
    sheet.shown("foo(bar, qux)")
    sheet.tab()
    does(sheet)
    sheet.after(29)
    assert sheet.counted["kept.30.known"] == 0
    sheet.after(1)
    assert (sheet.counted["kept.30"], sheet.counted["kept.30.known"]) == (after_30_s, 1)
    assert sheet.counted["kept.300.known"] == 0
    sheet.after(270)
    assert (sheet.counted["kept.300"], sheet.counted["kept.300.known"]) == (after_5_min, 1)
    assert sheet.following.due is None


def test_kept_for_half_a_minute_and_not_for_five() -> None:
    sheet = Sheet("x = ▮\n")
    sheet.shown("foo(bar, qux)")
    sheet.tab()
    sheet.after(30)
    sheet.put("", at=4, over=len(sheet.text))
    sheet.after(270)
    assert (sheet.counted["kept.30"], sheet.counted["kept.300"], sheet.counted["kept.300.known"]) == (1, 0, 1)


def test_what_was_taken_by_word_is_followed_too() -> None:
    sheet = Sheet("x = ▮\n")
    sheet.shown("foo.bar(qux)")
    sheet.put("foo.bar")
    sheet.type(";")
    sheet.after(30)
    assert (sheet.counted["kept.30"], sheet.counted["kept.30.known"]) == (1, 1)


def test_of_a_closed_document_nothing_is_known() -> None:
    sheet = Sheet("x = ▮\n")
    sheet.shown("foo(bar, qux)")
    sheet.tab()
    sheet.following.closed(URI)
    sheet.after(300)
    assert (sheet.counted["accepted"], sheet.counted["kept.30.known"]) == (1, 0)


def test_a_document_of_megabytes_is_not_followed() -> None:
    sheet = Sheet("x = ▮\n" + "#" * MAX_TEXT)
    sheet.shown("foo(bar, qux)")
    sheet.tab()
    sheet.after(300)
    assert (sheet.counted["accepted"], sheet.counted["kept.30.known"]) == (1, 0)


def test_no_more_are_followed_than_fit() -> None:
    sheet = Sheet("▮\n")
    for n in range(MAX_FOLLOWED + 10):
        sheet.shown(f"name_{n} = {n}; ", str(n))
        sheet.put(sheet.text)
    sheet.after(30)
    assert sheet.counted["kept.30.known"] == sheet.counted["kept.30"] == MAX_FOLLOWED


WORDS = st.sampled_from(["a", "b(", ")", "\n", "ab", "foo", "é🎉", " ", "foo(a)"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), WORDS, st.integers(0, 12), st.integers(0, 4)),
        st.tuples(st.just("show"), WORDS, st.integers(0, 12), st.integers(1, 3)),
        st.tuples(st.sampled_from(["accepted", "rejected"]), st.integers(1, 3).map(str)),
        st.tuples(st.just("later"), st.sampled_from([0.1, 1, 40])),
        st.tuples(st.just("closed")),
    ),
    max_size=25,
)


@given(STEPS)
def test_whatever_happens_the_numbers_hold(steps: list[tuple]) -> None:
    sheet = Sheet("x = ▮\n")
    for what, *given_ in steps:
        length = len(sheet.document.text)
        if what == "put":
            text, at, over = given_
            sheet.put(text, at=min(at, length), over=min(over, length - min(at, length)))
        elif what == "show":
            sheet.cursor = min(given_[1], length)
            sheet.shown(given_[0], str(given_[2]))
        elif what == "later":
            sheet.after(given_[0])
        elif what == "closed":
            sheet.following.closed(URI)
        else:
            getattr(sheet.following, what)(given_[0])
    sheet.following.end()
    n = sheet.counted
    assert min([0, *n.values()]) == 0
    assert n["accepted"] <= n["shown"] <= len({step[3] for step in steps if step[0] == "show"})
    assert n["read"] <= n["shown"]
    assert n["kept.300.known"] <= n["kept.30.known"] <= n["accepted"] + n["partly"]
    assert n["kept.30"] <= n["kept.30.known"]
