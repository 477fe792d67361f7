"""Edits as LSP's ``WorkspaceEdit``, in the best form that the client takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lsprotocol import types

from devstral_ls.actions.query import FileEdit
from devstral_ls.errors import EditConflict
from devstral_ls.server.client_port import Abilities
from devstral_ls.server.documents.store import Documents
from devstral_ls.text import Edit, Snapshot, Span

_ANNOTATION = "devstral"


def edit_of(documents: Documents, snapshot: Snapshot, edit: Edit, abilities: Abilities) -> types.WorkspaceEdit:
    """One edit of an open document; for its version where the client takes that."""
    text_edit = types.TextEdit(range=documents.range(snapshot, edit.span), new_text=edit.text)
    if not abilities.versioned_edits:
        return types.WorkspaceEdit(changes={snapshot.uri: [text_edit]})
    document = types.OptionalVersionedTextDocumentIdentifier(uri=snapshot.uri, version=snapshot.version)
    return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(text_document=document, edits=[text_edit])])


def edit_of_files(
    documents: Documents, files: Sequence[FileEdit], uri_of: Callable[[str], str], abilities: Abilities, label: str
) -> types.WorkspaceEdit:
    """Edits of other files, to be confirmed by the user where the client offers that.

    Raises:
        EditConflict: the text of an open file has changed.
    """
    for file in files:
        opened = documents.snapshot(uri_of(file.path))
        if file.at is not None and opened is not None and opened.text != file.before:
            raise EditConflict(f"{file.path} was changed meanwhile", hint="Nothing was changed; ask again.")
    if not abilities.versioned_edits:
        plain: dict[str, Sequence[types.TextEdit]] = {}
        for file in files:
            plain[uri_of(file.path)] = [_text_edit(documents, file, uri_of, abilities)]
        return types.WorkspaceEdit(changes=plain)
    changes: list[types.TextDocumentEdit | types.CreateFile | types.RenameFile | types.DeleteFile] = []
    for file in files:
        uri = uri_of(file.path)
        annotation = _ANNOTATION if abilities.confirms_edits else None
        if file.at is None:
            options = types.CreateFileOptions(ignore_if_exists=False)
            changes.append(types.CreateFile(uri=uri, options=options, annotation_id=annotation))
        open_ = documents.snapshot(uri)
        document = types.OptionalVersionedTextDocumentIdentifier(uri=uri, version=open_.version if open_ else None)
        edit = _text_edit(documents, file, uri_of, abilities)
        changes.append(types.TextDocumentEdit(text_document=document, edits=[edit]))
    annotations = {_ANNOTATION: types.ChangeAnnotation(label=label, needs_confirmation=True)}
    return types.WorkspaceEdit(
        document_changes=changes, change_annotations=annotations if abilities.confirms_edits else None
    )


def _text_edit(documents: Documents, file: FileEdit, uri_of: Callable[[str], str], abilities: Abilities) -> Any:
    if file.at is None:
        start = types.Position(line=0, character=0)
        range_ = types.Range(start=start, end=start)
    else:
        snapshot = Snapshot(uri_of(file.path), 0, "", file.before)
        range_ = documents.range(snapshot, Span(file.at, len(file.before)))
    if not abilities.confirms_edits:
        return types.TextEdit(range=range_, new_text=file.text)
    return types.AnnotatedTextEdit(annotation_id=_ANNOTATION, range=range_, new_text=file.text)
