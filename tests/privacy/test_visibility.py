"""What reaches the engine of files that must not be shown, whatever becomes of the index, and by whatever name they are opened."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from devstral_ls.actions.query import ActionQuery, ActionRefused
from devstral_ls.actions.runner import ActionRunner
from devstral_ls.retrieval.ignores import links, observed
from devstral_ls.retrieval.index.signatures import IndexSignatures
from devstral_ls.retrieval.index.workspace_index import IndexAnswer, WorkspaceIndex
from devstral_ls.retrieval.retriever import ContextRetriever
from devstral_ls.retrieval.visibility_check import VisibilityCheck
from devstral_ls.settings.tree import Settings
from devstral_ls.suggest.pipeline import Suggester
from devstral_ls.suggest.trace import InlineQuery, Reason
from devstral_ls.testing.fuzz.ignore_files import git_environment, run_git
from devstral_ls.testing.scripted_engine import ScriptedEngine, plain
from devstral_ls.text import DocumentChange, Snapshot, Span, single_edit
from tests.privacy.day import canary
from tests.retrieval.tree import write

HIDDEN = "hidden_from_every_model"
CODE = f"import shapes\n\ncolour = '{HIDDEN}'\n\n\ndef area(width):\n    return width * ▮\n"


async def no_pause(_seconds: float) -> None:
    return


class Desk:
    """An editor's documents over a scripted engine that keeps every prompt."""

    def __init__(
        self, index: WorkspaceIndex | None = None, visibility: VisibilityCheck | None = None, wait_s: float = 0.01
    ) -> None:
        self.engine = ScriptedEngine("1")
        self.settings = Settings()
        self.retriever = ContextRetriever(index, wait_s=wait_s, visibility=visibility)
        self.suggester = Suggester(self.engine, self.retriever, sleep=no_pause)
        self._documents: dict[str, Snapshot] = {}

    @property
    def prompts(self) -> str:
        return "".join(plain(request) for request in self.engine.requests)

    @property
    def n_showing(self) -> int:
        return sum(HIDDEN in plain(request) for request in self.engine.requests)

    def types(self, code: str, uri: str) -> tuple[Snapshot, int]:
        text = code.replace("▮", "")
        before = self._documents.get(uri)
        after = Snapshot(uri, 1, "python", text)
        if before is not None:
            edit = single_edit(before.text, text)
            after = before.edited(edit, before.version + 1)
            self.suggester.changed(DocumentChange(before, after, (edit,)))
        else:
            self.retriever.opened(after)
        self._documents[uri] = after
        return after, code.index("▮")

    async def reason(self, code: str, uri: str) -> Reason:
        """Why the request at the cursor ended as it did."""
        snapshot, offset = self.types(code, uri)
        query = InlineQuery(snapshot, offset, invoked=True)
        return (await self.suggester.inline(query, self.settings)).trace.reason

    async def act(self, action: str, uri: str) -> str:
        """What the user is told of an action at the last line."""
        snapshot = self._documents[uri]
        privacy = self.settings.privacy
        runner = ActionRunner(
            self.engine,
            lambda name: self.retriever.visibility.may_show(name, privacy),
            IndexSignatures(self.retriever.index, privacy, self.retriever.visibility),
            privacy=privacy,
        )
        at = len(snapshot.text) - 2
        try:
            await runner.run(ActionQuery(action, snapshot, Span(at, at), "shorten it"))
        except ActionRefused as refused:
            return refused.message
        return "done"

    async def is_hidden(self, uri: str) -> bool:
        """True when neither a suggestion nor an action shows the document, nor a suggestion in another one."""
        n_showing = self.n_showing
        reason = await self.reason(CODE, uri)
        refused = await self.act("explain", uri)
        assert (self.n_showing == n_showing) is (reason in NOT_SHOWN)
        assert (refused == "done") is (reason not in NOT_SHOWN)
        await self.reason("y = ▮\n", "untitled:Untitled-1")
        self.types("y = 1 + ▮\n", uri)
        return HIDDEN not in self.prompts

    async def aclose(self) -> None:
        self.suggester.close()
        await self.retriever.aclose()


NOT_SHOWN = {Reason.EXCLUDED, Reason.IGNORED, Reason.UNDECIDED}


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.aclose()


def repository(root: Path, files: dict[str, str]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    run_git(root, "init", "--quiet")
    return write(root, files)


# --- by whatever name ---


NAMES = [
    "file://{}",
    "vscode-notebook-cell:{}#W0sZmlsZQ%3D%3D",
    "vscode-notebook-cell://ssh-remote+host{}#W0",
    'git:{}?{{"path":"{}","ref":"~"}}',
    'git:{}.git?{{"path":"{}","ref":"HEAD"}}',
    'git:/elsewhere/seen.py?%7B%22path%22%3A%22{}%22%7D',
    "untitled:{}",
    "inmemory://model{}",
    "jar:file://{}!/inside.py",
    "zed:{}?query#fragment",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_any_uri_that_names_an_ignored_file_is_that_file(name: str, desk: Desk, tmp_path: Path) -> None:
    root = repository(tmp_path / "repository", {".gitignore": "private/\n", "private/secret.py": ""})
    path = str(root / "private/secret.py")
    assert await desk.is_hidden(name.format(path, path))


@pytest.mark.parametrize("name", NAMES)
async def test_any_uri_that_names_an_excluded_file_is_that_file(name: str, desk: Desk, tmp_path: Path) -> None:
    path = str(tmp_path / ".env")
    assert await desk.is_hidden(name.format(path, path))


@pytest.mark.parametrize(
    "uri", ["file:///w/%FF.py", "file://[/w/a.py", "file:a.py", "a.py", "file:///w/a%00.py", "file:///w/a%0A.py"]
)
async def test_a_uri_that_cannot_be_understood_is_shown_to_no_model(uri: str, desk: Desk) -> None:
    assert await desk.is_hidden(uri)


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "file:///nowhere/a.py", "inmemory://model/1"])
async def test_what_nothing_forbids_is_shown(uri: str, desk: Desk) -> None:
    """That the others would be seen."""
    assert not await desk.is_hidden(uri)
    assert HIDDEN in desk.prompts


async def test_a_fragment_that_a_client_did_not_encode_is_part_of_the_name(desk: Desk, tmp_path: Path) -> None:
    root = repository(tmp_path, {".gitignore": "a#b.py\n"})
    assert await desk.is_hidden(f"file://{root}/a#b.py")
    assert not await desk.is_hidden(f"file://{root}/a")


async def test_a_symbolic_link_is_ignored_by_its_name_and_by_its_target(desk: Desk, tmp_path: Path) -> None:
    root = repository(tmp_path / "w", {".gitignore": "link.py\nprivate/\nlinked/\n", "seen.py": "", "private/a.py": ""})
    (root / "link.py").symlink_to("seen.py")
    (root / "innocent.py").symlink_to("private/a.py")
    (root / "between.py").symlink_to("link.py")
    (root / "folder").symlink_to("private")
    (root / "linked").symlink_to(tmp_path)
    (tmp_path / "outside.py").symlink_to(root / "private/a.py")
    (tmp_path / "round").symlink_to("round")
    names = [
        "w/link.py",
        "w/innocent.py",
        "w/between.py",
        "w/folder/a.py",
        "w/linked/w/seen.py",
        "outside.py",
        "round/a.py",
    ]
    for name in (*names, "w/seen.py/../private/a.py", "w/folder/../private/a.py"):
        assert await desk.is_hidden(f"file://{tmp_path}/{name}"), name


async def test_an_excluded_file_is_excluded_by_its_target_as_well(desk: Desk, tmp_path: Path) -> None:
    write(tmp_path, {".env": ""})
    (tmp_path / "settings.py").symlink_to(".env")
    (tmp_path / ".env.py").symlink_to("/nowhere/seen.py")
    for name in ("settings.py", ".env.py"):
        assert await desk.reason(CODE, (tmp_path / name).as_uri()) is Reason.EXCLUDED
    assert HIDDEN not in desk.prompts


# --- without a folder, and outside of one ---


async def test_without_a_folder_the_repository_above_a_file_says_what_is_ignored(desk: Desk, tmp_path: Path) -> None:
    root = repository(tmp_path, {".gitignore": "*.local.py\n", "a/b/.gitignore": "own.py\n"})
    desk.retriever.begin([], desk.settings)
    for name in ("x.local.py", "a/b/x.local.py", "a/b/own.py"):
        assert await desk.is_hidden((root / name).as_uri()), name
    assert not await desk.is_hidden((root / "a/own.py").as_uri())


async def test_a_file_outside_of_the_folder_is_its_own_repositorys(desk: Desk, tmp_path: Path) -> None:
    workspace, other = tmp_path / "workspace", repository(tmp_path / "other", {".gitignore": "private.py\n"})
    workspace.mkdir()
    desk.retriever.begin([workspace.as_uri()], desk.settings)
    assert await desk.is_hidden((other / "private.py").as_uri())
    assert not await desk.is_hidden((other / "seen.py").as_uri())


async def test_without_a_repository_the_ignore_files_of_the_folder_count_or_those_beside_the_file(
    desk: Desk, tmp_path: Path
) -> None:
    write(tmp_path, {"w/.ignore": "private/\n", "w/a/b.py": "", "other/.gitignore": "private.py\n"})
    desk.retriever.begin([(tmp_path / "w").as_uri()], desk.settings)
    for name in ("w/private/a.py", "w/a/private/b.py", "other/private.py"):
        assert await desk.is_hidden((tmp_path / name).as_uri()), name
    assert not await desk.is_hidden((tmp_path / "other/below/private.py").as_uri())


# --- a changed ignore file ---


async def test_a_changed_ignore_file_counts_at_the_next_key_though_nobody_tells_of_it(
    desk: Desk, tmp_path: Path
) -> None:
    root = repository(tmp_path, {".gitignore": "none.py\n", "a/b.py": ""})
    uri = (root / "a/b.py").as_uri()
    for n in range(20):
        for path, hidden in ((".gitignore", "b.py"), ("a/.ignore", "b.py"), (".git/info/exclude", "/a/")):
            before = (root / path).read_text() if (root / path).exists() else ""
            write(root, {path: hidden})
            assert await desk.reason(CODE.replace("▮", f"{n} + ▮"), uri) is Reason.IGNORED, path
            write(root, {path: before})
            assert await desk.reason("a = ▮", uri) not in NOT_SHOWN
    assert HIDDEN not in desk.prompts


async def test_excerpts_of_a_file_that_becomes_ignored_leave_the_next_prompt(tmp_path: Path) -> None:
    root = repository(tmp_path, {"shapes.py": "def area(width_of_it): pass\n"})
    desk = Desk(WorkspaceIndex(answer_s=20.0), wait_s=20.0)
    desk.retriever.begin([root.as_uri()], desk.settings)
    uri = (root / "a.py").as_uri()
    await desk.reason(CODE, (root / "b.py").as_uri())
    await desk.reason("from shapes import area\nx = area(1▮)\n", uri)
    assert "width_of_it" in plain(desk.engine.requests[-1])
    assert HIDDEN in plain(desk.engine.requests[-1])
    write(root, {".gitignore": "shapes.py\nb.py\n"})
    n_asked = len(desk.engine.requests)
    await desk.reason("from shapes import area\nx = area(1, ▮)\n", uri)
    await desk.act("explain", uri)
    assert len(desk.engine.requests) >= n_asked + 2
    for request in desk.engine.requests[n_asked:]:
        assert "width_of_it" not in plain(request)
        assert HIDDEN not in plain(request)
    await desk.aclose()


# --- what git knows besides the folders ---


async def test_the_users_own_ignore_file_and_that_of_a_linked_worktree_count(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in git_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path, {"config": '[include]\n\tpath = more\n[core]\n; excludesFile = "no"\n', "everywhere": "mine.py\n"})
    write(tmp_path, {"more": '[core]\n\texcludesFile = "~/everywhere" # a comment\n'})
    root = repository(tmp_path / "main", {"a.py": ""})
    run_git(root, "add", "a.py")
    run_git(root, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "x")
    run_git(root, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    write(root, {".git/info/exclude": "local.py\n"})
    for name in ("main/mine.py", "main/local.py", "linked/mine.py", "linked/local.py"):
        assert await desk.is_hidden((tmp_path / name).as_uri()), name
    assert not await desk.is_hidden((tmp_path / "linked/a.py").as_uri())


async def test_where_case_is_ignored_so_it_is_in_patterns(desk: Desk, tmp_path: Path) -> None:
    root = repository(tmp_path, {".gitignore": "private.py\nBuild/\n!Keep.py\n"})
    run_git(root, "config", "core.ignoreCase", "false")
    assert not await desk.is_hidden((root / "PRIVATE.py").as_uri())
    desk = Desk()
    run_git(root, "config", "core.ignoreCase", "true")
    for name in ("PRIVATE.py", "build/a.py", "BUILD/a.py", "Private.PY"):
        assert await desk.is_hidden((root / name).as_uri()), name
    await desk.aclose()


# --- an ignore file that is too much, or cannot be read ---


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(f"pattern-{n}" for n in range(1_500)) + "\nprivate.py\n",
        f"# {'x' * 70_000}\nprivate.py\n",
        "\n".join(f"pattern-{n}" for n in range(10_001)),
        "*" + "x" * 5_000,
        "#\n" * 600_000,
    ],
    ids=["1,500 patterns", "behind 64 KB", "too many", "too long", "too large"],
)
async def test_an_ignore_file_is_read_to_its_end_or_ignores_everything_and_that_is_said(
    content: str, tmp_path: Path
) -> None:
    said: list[str] = []
    desk = Desk(visibility=VisibilityCheck(wait_s=20.0, tell=said.append))
    root = repository(tmp_path, {".gitignore": content})
    for name in ("private.py", "a/private.py", "a/b/private.py"):
        assert await desk.reason(CODE, (root / name).as_uri()) is Reason.IGNORED
    exceeds = await desk.reason("x = ▮\n", (root / "seen.py").as_uri()) is Reason.IGNORED
    assert len(said) == exceeds
    assert all(str(root / ".gitignore") in message and "is ignored" in message for message in said)
    await desk.aclose()


async def test_below_an_ignore_file_that_cannot_be_read_nothing_is_shown(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, _n_bytes: int, **_options: bool) -> bytes:
        raise PermissionError(path)

    monkeypatch.setattr(observed, "_read", refuse)
    root = repository(tmp_path, {".gitignore": "private.py\n"})
    assert await desk.reason(CODE, (root / "a.py").as_uri()) is Reason.UNDECIDED
    assert await desk.is_hidden((root / "below/a.py").as_uri())


async def test_a_file_system_that_does_not_answer_holds_up_nothing_and_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, stat_of = threading.Event(), os.lstat

    def hanging(path: Any) -> os.stat_result:
        if "hung" in os.fspath(path):
            go.wait(30)
        return stat_of(path)

    monkeypatch.setattr(links.os, "lstat", hanging)
    desk = Desk(visibility=VisibilityCheck(wait_s=0.05))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    hung, local = (tmp_path / "hung/a.py").as_uri(), (tmp_path / "local.py").as_uri()
    for n in range(3):
        assert await desk.reason(CODE.replace("▮", f"{n}▮"), hung) is Reason.UNDECIDED
    assert await desk.reason("x = ▮\n", local) not in NOT_SHOWN
    assert ticks > 10
    assert HIDDEN not in desk.prompts
    go.set()
    async with asyncio.timeout(20):
        while await desk.reason(CODE, hung) is Reason.UNDECIDED:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)
    ticking.cancel()
    await desk.aclose()


# --- whatever becomes of the index ---


class Stalled(WorkspaceIndex):
    """Answers nothing, and takes its time."""

    async def find(self, *_query: Any, **_options: Any) -> IndexAnswer:
        await asyncio.sleep(0.1)
        return IndexAnswer(answered=False)


async def killed(index: WorkspaceIndex) -> None:
    for _ in range(3):
        while index.pid is None and index.is_alive:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.001)
        if index.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(index.pid, signal.SIGKILL)
        await asyncio.sleep(0)


async def stopped(index: WorkspaceIndex) -> None:
    while index.pid is None:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.001)
    os.kill(index.pid, signal.SIGSTOP)


async def busy(index: WorkspaceIndex) -> None:
    """It parses, at the lowest priority, what takes seconds."""
    for n in range(4):
        index.opened(f"file:///w/{n}.cpp", "template <class T> struct S { T f(T a) { return a + a; } };\n" * 8_000)


async def as_it_is(_index: WorkspaceIndex) -> None:
    return


STATES: dict[str, tuple[Callable[[], WorkspaceIndex | None], Callable[[WorkspaceIndex], Awaitable[None]]]] = {
    "killed": (WorkspaceIndex, killed),
    "stopped": (WorkspaceIndex, stopped),
    "stalled": (Stalled, as_it_is),
    "busy": (WorkspaceIndex, busy),
    "closed": (WorkspaceIndex, WorkspaceIndex.aclose),
    "absent": (lambda: None, as_it_is),
}


@pytest.mark.parametrize("state", STATES)
async def test_whatever_becomes_of_the_index_nothing_of_an_ignored_file_leaves(state: str, tmp_path: Path) -> None:
    make, becomes = STATES[state]
    root = repository(tmp_path, {".gitignore": "private.py\n", ".ignore": "other.py\n"})
    index = make()
    desk = Desk(index)
    desk.retriever.begin([root.as_uri()], desk.settings)
    if index is not None:
        await becomes(index)
    for name in ("private.py", "other.py"):
        assert await desk.is_hidden((root / name).as_uri())
    assert not await desk.is_hidden((root / "seen.py").as_uri())
    _wake(index)
    await desk.aclose()


def _wake(index: WorkspaceIndex | None) -> None:
    if index is not None and index.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(index.pid, signal.SIGCONT)


@pytest.mark.parametrize("state", ["killed", "stopped", "stalled", "absent"])
async def test_random_requests_over_open_documents_show_nothing_of_the_ignored_ones(state: str, tmp_path: Path) -> None:
    """A quarter of the thousand requests for each state."""
    make, becomes = STATES[state]
    root = repository(tmp_path, {".gitignore": "*.local.py\nprivate/\n"})
    hidden = [f"a{n}.local.py" for n in range(5)] + [f"private/b{n}.py" for n in range(5)]
    seen = [f"c{n}.py" for n in range(20)]
    words = {name: canary() for name in (*hidden, *seen)}
    write(root, {name: f"def {word}(x): pass\n" for name, word in words.items()})
    index, chance = make(), random.Random(state)
    desk = Desk(index)
    desk.retriever.begin([root.as_uri()], desk.settings)
    if index is not None:
        await becomes(index)
    for n in range(250):
        name = chance.choice((*hidden, *seen))
        other = chance.choice((*hidden, *seen))
        module = other.removesuffix(".py").replace("/", ".")
        code = f"from {module} import thing\n# {words[name]}\ndef {words[name]}_{n}(x):\n    return thing(x, ▮)\n"
        uri = (root / name).as_uri()
        reason = await desk.reason(code, uri)
        assert (reason in NOT_SHOWN) is (name in hidden), name
        if chance.random() < 0.1:
            assert (await desk.act("explain", uri) == "done") is (name in seen)
    shown = desk.prompts
    assert [words[name] for name in hidden if words[name] in shown] == []
    assert sum(words[name] in shown for name in seen) > 10
    _wake(index)
    await desk.aclose()
