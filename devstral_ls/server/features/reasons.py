"""REASONS: the reason of a request as a sentence for the user, with what to do where anything can be done."""

from __future__ import annotations

from collections.abc import Mapping

from devstral_ls.suggest.trace import Reason

REASONS: Mapping[Reason, str] = {
    Reason.RUNNING: "The request is still running.",
    Reason.SHOWN: "The model's suggestion was shown.",
    Reason.CACHED: "An earlier suggestion for the same place was shown again.",
    Reason.TYPED_THROUGH: "You typed the beginning of a suggestion; the rest of it was shown.",
    Reason.JOINED: "A suggestion that was generated for an earlier key was shown.",
    Reason.DISABLED: "Suggestions are switched off: set inline.enable, or run devstral.toggleInline.",
    Reason.LANGUAGE_DISABLED: "Suggestions are switched off for this language: see inline.disabledLanguages.",
    Reason.IN_COMMENT: "The cursor is in a comment: set inline.inComments for suggestions there.",
    Reason.IN_STRING: "The cursor is in a string: set inline.inStrings for suggestions there.",
    Reason.IN_DATA: "The cursor is behind rows of numbers or encoded bytes, which cannot be predicted.",
    Reason.MID_WORD: "The cursor is inside a word; request a suggestion by key to get one here.",
    Reason.TEXT_AFTER_CURSOR: "Code follows the cursor on its line; request a suggestion by key to get one here.",
    Reason.JUST_DELETED: "You have just deleted text; the next key you type brings suggestions back.",
    Reason.JUST_REJECTED: "You dismissed the suggestion here; request one by key to see it again.",
    Reason.TOO_LONG_LINE: "The line is too long to be written by hand.",
    Reason.EXCLUDED: "The file is on the privacy.exclude list and is never shown to a model.",
    Reason.IGNORED: "An ignore file names this document: see privacy.respectIgnoreFiles.",
    Reason.SECRET: "The cursor is in a key or a password, which is never shown to a model: see privacy.redactSecrets.",
    Reason.NOT_READY: "No model is ready: the status says whether one is loading or has to be installed.",
    Reason.TOO_SLOW: "The model is too slow for automatic suggestions on this machine; request one by key.",
    Reason.SUPERSEDED: "A newer request for the same document replaced this one.",
    Reason.CANCELLED: "The editor cancelled the request.",
    Reason.EMPTY: "The model ended without writing anything.",
    Reason.BLANK: "The model wrote white space only.",
    Reason.REPEATS_SUFFIX: "The suggestion only repeated the code after the cursor.",
    Reason.REPETITION: "The suggestion repeated itself or the lines above.",
    Reason.UNDOES_EDIT: "The suggestion only put back what you have just removed.",
    Reason.PROSE: "The model wrote about the code instead of code.",
    Reason.COMMENT: "The suggestion was only a comment behind a finished statement.",
    Reason.UNSURE: "The model's confidence was below inline.minConfidence; lower it to see more suggestions.",
    Reason.BREAKS_SYNTAX: "The suggestion would have added a syntax error.",
    Reason.DOCUMENT_MOVED: "The document changed while the suggestion was generated.",
    Reason.UNKNOWN_DOCUMENT: "The document is not open in this server.",
    Reason.ENGINE_ERROR: "The engine failed: `devstral-ls engine logs` has the details.",
}
