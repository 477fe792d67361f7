"""Suggestions as LSP's items, of ghost text and of the completion list."""

from __future__ import annotations

from collections.abc import Sequence

from lsprotocol import types

from devstral_ls.server.documents.store import Documents
from devstral_ls.suggest.trace import Suggestion
from devstral_ls.text import Snapshot, Span

ACCEPTED = "devstral.accepted"
"""The command a client runs when a suggestion was accepted, with the suggestion's id."""

_LABEL_LENGTH = 60


def inline_completion_list(
    documents: Documents, snapshot: Snapshot, suggestions: Sequence[Suggestion]
) -> types.InlineCompletionList:
    """The answer to ``textDocument/inlineCompletion``."""
    return types.InlineCompletionList(
        items=[
            types.InlineCompletionItem(
                insert_text=suggestion.text,
                filter_text=filter_text(snapshot, suggestion),
                range=documents.range(snapshot, suggestion.replaces),
                command=accepted_command(suggestion),
            )
            for suggestion in suggestions
        ]
    )


def completion_list(
    documents: Documents, snapshot: Snapshot, cursor: int, suggestions: Sequence[Suggestion]
) -> types.CompletionList:
    """The answer to ``textDocument/completion``; never complete, so that the client asks again at the next key."""
    word = word_before(snapshot, cursor)
    return types.CompletionList(
        is_incomplete=True,
        items=[
            types.CompletionItem(
                label=_label(word + suggestion.text),
                kind=types.CompletionItemKind.Text,
                detail="Devstral",
                documentation=word + suggestion.text,
                sort_text="\x01",
                filter_text=word + suggestion.text,
                text_edit=types.TextEdit(
                    range=documents.range(snapshot, Span(cursor - len(word), suggestion.replaces.end)),
                    new_text=word + suggestion.text,
                ),
                insert_text_format=types.InsertTextFormat.PlainText,
                insert_text_mode=types.InsertTextMode.AsIs,
                command=accepted_command(suggestion),
            )
            for suggestion in suggestions
        ],
    )


def accepted_command(suggestion: Suggestion) -> types.Command:
    """The command to run when ``suggestion`` was accepted."""
    return types.Command(title="Accepted", command=ACCEPTED, arguments=[suggestion.id])


def filter_text(snapshot: Snapshot, suggestion: Suggestion) -> str:
    """The text that the client compares with the text it would replace.

    VS Code shows ghost text only if every character it replaces is found in here, in order; a suggestion that drops
    an auto-closed tail would not show without it.
    """
    replaced = snapshot.of(suggestion.replaces)
    rest = iter(suggestion.text)
    return suggestion.text if all(character in rest for character in replaced) else suggestion.text + replaced


def word_before(snapshot: Snapshot, cursor: int) -> str:
    """The part of a word that ends at the cursor: what completion clients filter by."""
    start = cursor
    while start and (snapshot.text[start - 1].isalnum() or snapshot.text[start - 1] == "_"):
        start -= 1
    return snapshot.text[start:cursor]


def _label(text: str) -> str:
    first = text.strip().split("\n", 1)[0].strip()
    return first if len(first) <= _LABEL_LENGTH else first[: _LABEL_LENGTH - 1] + "…"
