"""REASONS: the reason of a request as a sentence for the user, and what to do where anything can be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from devstral_ls.suggest.trace import Reason


class Explanation(NamedTuple):
    """A reason in words."""

    sentence: str
    """What happened, as one sentence."""
    hint: str | None = None
    """What the user can do, as one sentence; None where there is nothing to do."""


_BY_KEY = "Request a suggestion by key to get one here."

REASONS: Mapping[Reason, Explanation] = {
    Reason.RUNNING: Explanation("The request is still running."),
    Reason.SHOWN: Explanation("The model's suggestion was shown."),
    Reason.CACHED: Explanation("An earlier suggestion for the same place was shown again."),
    Reason.TYPED_THROUGH: Explanation("You typed the beginning of a suggestion; the rest of it was shown."),
    Reason.JOINED: Explanation("A suggestion that was generated for an earlier key was shown."),
    Reason.DISABLED: Explanation(
        "Automatic suggestions are switched off.", "Switch them on in your editor, or set inline.enable to true."
    ),
    Reason.LANGUAGE_DISABLED: Explanation(
        "Suggestions are switched off for this language.", "Take the language out of inline.disabledLanguages."
    ),
    Reason.IN_COMMENT: Explanation(
        "The cursor is in a comment, where suggestions are switched off.", "Set inline.inComments to true."
    ),
    Reason.IN_STRING: Explanation(
        "The cursor is in a string, where suggestions are switched off.", "Set inline.inStrings to true."
    ),
    Reason.IN_DATA: Explanation("The cursor is behind rows of numbers or encoded bytes, which cannot be predicted."),
    Reason.MID_WORD: Explanation("The cursor is inside a word.", _BY_KEY),
    Reason.TEXT_AFTER_CURSOR: Explanation("Code follows the cursor on its line.", _BY_KEY),
    Reason.JUST_DELETED: Explanation("You have just deleted text.", "The next key you type brings suggestions back."),
    Reason.JUST_REJECTED: Explanation(
        "You dismissed the suggestion here.", "Request a suggestion by key to see it again."
    ),
    Reason.TOO_LONG_LINE: Explanation("The line is too long to be code that is written by hand."),
    Reason.EXCLUDED: Explanation(
        "The file is on the privacy.exclude list and is never shown to a model.",
        "Change privacy.exclude in your settings if this file may be shown.",
    ),
    Reason.IGNORED: Explanation(
        "An ignore file, such as .gitignore, names this document: it is not shown to a model.",
        "Set privacy.respectIgnoreFiles to false if such files may be shown.",
    ),
    Reason.UNDECIDED: Explanation(
        "It could not be told whether this document may be shown to a model.",
        "Its disk does not answer, or an ignore file cannot be read: see privacy.respectIgnoreFiles.",
    ),
    Reason.SECRET: Explanation(
        "The cursor is in a key or a password, which is never shown to a model.",
        "Set privacy.redactSecrets to false if it is none.",
    ),
    Reason.NOT_READY: Explanation(
        "No model is ready.", "The status says whether one is loading or has to be installed."
    ),
    Reason.TOO_SLOW: Explanation(
        "The model is too slow for automatic suggestions on this machine.",
        "Request suggestions by key, or choose a smaller model.",
    ),
    Reason.SUPERSEDED: Explanation("A newer request for the same document replaced this one."),
    Reason.CANCELLED: Explanation("The editor cancelled the request."),
    Reason.EMPTY: Explanation("The model ended without writing anything."),
    Reason.BLANK: Explanation("The model wrote only white space."),
    Reason.REPEATS_SUFFIX: Explanation("The suggestion only repeated the code after the cursor."),
    Reason.REPETITION: Explanation("The suggestion repeated itself or the lines above."),
    Reason.UNDOES_EDIT: Explanation("The suggestion only put back what you have just removed."),
    Reason.PROSE: Explanation("The model wrote about the code instead of code."),
    Reason.COMMENT: Explanation("The suggestion was only a comment behind a finished statement."),
    Reason.UNSURE: Explanation(
        "The model's confidence was too low.", "Lower inline.minConfidence to see more suggestions."
    ),
    Reason.BREAKS_SYNTAX: Explanation("The suggestion would have added a syntax error."),
    Reason.DOCUMENT_MOVED: Explanation("The document changed while the suggestion was generated."),
    Reason.UNKNOWN_DOCUMENT: Explanation("The document is not open in this server."),
    Reason.ENGINE_ERROR: Explanation("The engine failed.", "Run `devstral-ls engine logs` to see why."),
}
