"""JSON-RPC: every request is answered, and answers tell nothing of our insides."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from devstral_ls.server.rpc.framing import framed
from devstral_ls.testing.lsp_client import Refused, edit, soon, until
from tests.server.conftest import Here

Make = Callable[..., Here]

INLINE = "textDocument/inlineCompletion"
GOOD: dict[str, Any] = {
    "textDocument": {"uri": "file:///w/a.py"},
    "position": {"line": 0, "character": 0},
    "context": {"triggerKind": 2},
}


def test_good_parameters_are_good() -> None:
    assert json.loads(json.dumps(GOOD)) == GOOD


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "params.context: missing"),
        (None, "params"),
        ([], "params"),
        ("text", "params"),
        (GOOD | {"textDocument": None}, "params.textDocument"),
        (GOOD | {"textDocument": {}}, "params.textDocument.uri"),
        (GOOD | {"position": {"line": 0}}, "params.position.character"),
        (GOOD | {"position": {"line": -1, "character": 0}}, "params.position:"),
        (GOOD | {"position": {"line": "many", "character": 0}}, "params.position.line"),
        (GOOD | {"position": {"line": 1 << 40, "character": 0}}, "params.position:"),
        (GOOD | {"context": {}}, "params.context.triggerKind"),
        (GOOD | {"context": {"triggerKind": 7}}, "params.context.triggerKind"),
        (GOOD | {"context": {"triggerKind": None}}, "params.context.triggerKind"),
        ({key: value for key, value in GOOD.items() if key != "context"}, "params.context"),
    ],
)
async def test_invalid_parameters_are_answered_and_the_field_is_named(here: Make, params: Any, field: str) -> None:
    client = here()
    await client.initialize()
    refused = await client.refusal(INLINE, params)
    assert refused.code == -32602
    assert field in refused.message
    assert "\n" not in refused.message
    assert client.all("window/showMessage") == []
    assert await client.inline(client.open("a"), 0, 1) != []


async def test_wrong_values_are_not_repeated_in_answers_or_logs(here: Make, caplog: pytest.LogCaptureFixture) -> None:
    client = here()
    await client.initialize(options={"log": {"level": "debug"}})
    logging.getLogger("devstral_ls").propagate = True
    refused = await client.refusal(INLINE, GOOD | {"position": {"line": "SECRET", "character": 0}})
    assert "SECRET" not in json.dumps(refused.error)
    client.notify("textDocument/didOpen", {"textDocument": {"text": "SECRET"}})
    client.open("SECRET")
    await client.inline("file:///w/a.py", 0, 0)
    await client.refusal("test/raise", {"text": "SECRET"})
    assert "SECRET" not in caplog.text
    assert "KeyError" in caplog.text


async def test_contents_are_logged_where_the_user_wants_it(here: Make, caplog: pytest.LogCaptureFixture) -> None:
    client = here()
    await client.initialize(options={"log": {"level": "debug", "contents": True}})
    logging.getLogger("devstral_ls").propagate = True
    client.open("PROSE")
    await client.inline("file:///w/a.py", 0, 0)
    assert "PROSE" in caplog.text


async def test_a_bug_is_answered_without_a_traceback(here: Make) -> None:
    client = here()
    await client.initialize()
    refused = await client.refusal("test/raise", {"text": "x"})
    assert refused.error == {"code": -32603, "message": "internal error (KeyError); see the server's log"}
    assert client.all("window/showMessage") == []


async def test_an_answer_that_is_no_json_is_an_error_reply(here: Make) -> None:
    client = here()
    await client.initialize()
    assert (await client.refusal("test/unjsonable")).code == -32603


async def test_an_unknown_method_is_refused_without_a_pop_up(here: Make) -> None:
    client = here()
    await client.initialize()
    assert (await client.refusal("textDocument/hover", GOOD)).code == -32601
    assert (await client.refusal("no/such", {"a": 1})).code == -32601
    client.notify("no/such", {"a": 1})
    client.notify("$/no", None)
    await client.script()
    assert client.all("window/showMessage") == []


async def test_requests_before_initialize_and_a_second_initialize(here: Make) -> None:
    client = here()
    assert (await client.refusal(INLINE, GOOD)).code == -32002
    assert (await client.refusal("shutdown")).code == -32002
    client.open("dropped")
    await client.initialize()
    assert client.server.documents.snapshot("file:///w/a.py") is None
    refused = await client.refusal("initialize", {"processId": None, "rootUri": None, "capabilities": {}})
    assert refused.code == -32600


async def test_requests_after_shutdown(here: Make) -> None:
    client = here()
    await client.initialize()
    assert await client.request("shutdown") is None
    assert (await client.refusal(INLINE, GOOD)).code == -32600
    assert (await client.refusal("shutdown")).code == -32600
    client.notify("exit")
    await soon(client.server.leaving.wait())
    assert client.server.exit_code == 0


async def test_exit_without_shutdown_leaves_with_1(here: Make) -> None:
    client = here()
    client.notify("exit")
    await soon(client.server.leaving.wait())
    assert client.server.exit_code == 1


@pytest.mark.parametrize(
    ("message", "code", "msg_id"),
    [
        ({"jsonrpc": "2.0", "id": 7, "method": 5}, -32600, 7),
        ({"jsonrpc": "2.0", "id": 7, "method": None}, -32600, 7),
        ({"jsonrpc": "2.0", "id": 7}, -32600, 7),
        ({"jsonrpc": "1.0", "id": 7, "method": "shutdown"}, -32600, 7),
        ({"id": 7, "method": "shutdown"}, -32600, 7),
        ({"jsonrpc": "2.0", "id": None, "method": "shutdown"}, -32600, None),
        ({"jsonrpc": "2.0", "id": [1], "method": "shutdown"}, -32600, None),
        ({"jsonrpc": "2.0", "id": True, "method": "shutdown"}, -32600, None),
        ([], -32600, None),
        ("text", -32600, None),
        (None, -32600, None),
    ],
)
async def test_what_is_no_request_is_refused(here: Make, message: Any, code: int, msg_id: Any) -> None:
    client = here()
    await client.initialize()
    answer = client.expect(msg_id)
    client.send(message)
    with pytest.raises(Refused) as refused:
        await soon(answer)
    assert refused.value.code == code
    await client.script()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xff", b"[" * 100_000, b'{"a":' * 100_000])
async def test_what_is_no_json_is_refused(here: Make, body: bytes) -> None:
    client = here()
    await client.initialize()
    answer = client.expect(None)
    client.write(framed(body))
    with pytest.raises(Refused) as refused:
        await soon(answer)
    assert refused.value.code == -32700
    await client.script()


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"jsonrpc": "2.0"},
        {"jsonrpc": "2.0", "method": 5},
        {"jsonrpc": "2.0", "id": "unknown", "result": 5},
        {"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "m"}},
        {"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"contentChanges": 5}},
        {"jsonrpc": "2.0", "method": "textDocument/didOpen"},
        {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": "unknown"}},
        {"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {}},
        {"jsonrpc": "2.0", "method": "$/setTrace", "params": {"value": "verbose"}},
    ],
)
async def test_what_needs_no_answer_gets_none_and_does_no_harm(here: Make, message: Any) -> None:
    client = here()
    await client.initialize()
    await client.script()
    n_before = len([m for m in client.received if "method" not in m])
    client.send(message)
    await client.script()
    assert len([m for m in client.received if "method" not in m]) == n_before + 1
    assert client.all("window/showMessage") == []


async def test_a_running_request_is_cancelled_at_once(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    await client.script(hold=True)
    answer = client.ask_inline(uri, 0, 1)
    await client.request("test/asked")
    client.notify("$/cancelRequest", {"id": client.last_id - 1})
    with pytest.raises(Refused) as refused:
        await soon(answer)
    assert refused.value.code == -32800
    assert (await client.script(hold=False))["cancelled"] == 1


async def test_a_handler_that_does_not_end_is_answered_all_the_same(here: Make) -> None:
    client = here()
    await client.initialize()
    await client.script()
    answer = client.ask("test/stubborn", id="stubborn")
    await client.request("test/asked")
    client.notify("$/cancelRequest", {"id": "stubborn"})
    with pytest.raises(Refused) as refused:
        await soon(answer)
    assert refused.value.code == -32800
    client.notify("$/cancelRequest", {"id": "stubborn"})
    await client.script()
    assert len([m for m in client.received if m.get("id") == "stubborn"]) == 1


async def test_an_id_in_use_is_refused(here: Make) -> None:
    client = here()
    await client.initialize()
    await client.script()
    client.ask("test/stubborn", id="same")
    with pytest.raises(Refused) as refused:
        await soon(client.ask("test/stubborn", id="same"))
    assert refused.value.code == -32600


async def test_shutdown_cancels_what_runs(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    await client.script(hold=True)
    answer = client.ask_inline(uri, 0, 1)
    await client.request("test/asked")
    assert await client.request("shutdown") is None
    with pytest.raises(Refused) as refused:
        await soon(answer)
    assert refused.value.code == -32800


async def test_shutdown_does_not_wait_for_an_engine_that_hangs(here: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devstral_ls.server.engine_session.CLOSE_S", 0.01)
    client = here()
    await client.initialize()
    await client.script(hangsAtClose=True)
    assert await client.request("shutdown") is None


async def test_a_handler_sees_the_document_as_it_was_when_it_was_asked(here: Make) -> None:
    client = here()
    await client.initialize()
    await client.script()
    uri = client.open("ab")
    client.ask_inline(uri, 0, 2)
    client.change(uri, edit((0, 2), (0, 2), "c"))
    answer = client.ask_inline(uri, 0, 3)
    await soon(answer)
    assert (await client.script())["asked"] == ["ab", "abc"]


async def test_a_capability_we_do_not_know_does_not_cost_the_session(here: Make) -> None:
    client = here()
    strange = {
        "general": {"positionEncodings": ["utf-7", "utf-8"]},
        "textDocument": {
            "completion": {"completionItemKind": {"valueSet": [1, 2, 999]}, "contextSupport": "perhaps"},
            "inlineCompletion": {"dynamicRegistration": False, "new": 5},
            "foldingRange": {"rangeLimit": -3},
        },
        "workspace": {"symbol": {"symbolKind": {"valueSet": [1, "x"]}}},
        "window": 7,
        "brandNew": {"a": 1},
    }
    result = await client.initialize(strange)
    assert result["capabilities"]["inlineCompletionProvider"] == {}
    assert result["capabilities"]["positionEncoding"] == "utf-8"


async def test_nothing_is_kept_of_notifications(here: Make) -> None:
    client = here()
    await client.initialize()
    uri = client.open("a")
    for _ in range(20):
        client.change(uri, edit((0, 1), (0, 1), "b"))
        client.notify("workspace/didChangeConfiguration", {"settings": None})
    await client.script()
    await until(lambda: client.server.connection.n_open == 0)
    await until(lambda: not client.server.connection._notified)
