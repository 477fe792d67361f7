"""The error tree: every failure a user can meet, with what they can do about it.

::

    DevstralError
      SettingsError        LanguageError        PromptTooLong        EditConflict
      EngineError
        EngineUnavailable  EngineBusy           GenerationFailed
          RuntimeFolderUnusable                   EngineSilent  EngineTooSlow
        ModelError
          ModelNotFound    ModelUnsupported     ModelLoadFailed      ModelTooBig      ModelCorrupt

Caught at three boundaries only: around every handler, around every engine request, in ``cli.main``.
"""

from __future__ import annotations

MAX_DISPLAYED = 2_000
"""Characters of a foreign string that are shown."""


def displayable(text: str, most: int = MAX_DISPLAYED) -> str:
    """``text`` as one line that may be shown and logged; a server, a file or a driver may have chosen it.

    Line breaks and other space become spaces. Lone surrogates, control characters such as escape, and those that cannot
    be seen but turn the order of others around or hide them, become U+FFFD. Letters of scripts that run from right to left
    stay: people write with them.
    """
    shown = text if len(text) <= most else text[: most - 1] + "…"
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in shown)


class DevstralError(Exception):
    """Anything that went wrong and that we can name."""

    code = "error"
    """A stable word for logs, statuses and JSON output."""

    hint = ""
    """What the user can do, as one sentence; the default of the class unless the instance has its own."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Messages repeat what files, servers and libraries say: both are made ``displayable``."""
        super().__init__(displayable(message))
        if hint is not None:
            self.hint = displayable(hint)

    @property
    def message(self) -> str:
        """What happened, as one line."""
        return str(self)


class SettingsError(DevstralError):
    """A setting that cannot be used."""

    code = "settings"
    hint = "See `devstral-ls settings` for the names and their values."


class LanguageError(DevstralError):
    """A grammar or a query file that cannot be used."""

    code = "language"
    hint = "Reinstall devstral-ls; without the grammar, indentation is used instead."


class PromptTooLong(DevstralError):
    """More tokens than the engine's context holds."""

    code = "prompt-too-long"
    hint = "Raise model.contextTokens, or ask with less code."

    def __init__(self, n_tokens: int, limit: int) -> None:
        super().__init__(f"the prompt has {n_tokens} tokens, the engine's context holds {limit}")
        self.n_tokens = n_tokens
        self.limit = limit


class EditConflict(DevstralError):
    """The document changed under an edit that was being applied."""

    code = "edit-conflict"
    hint = "Nothing is lost: undo, or ask again."


class EngineError(DevstralError):
    """The engine could not do what it was asked."""

    code = "engine"
    hint = "See `devstral-ls engine logs`."


class EngineUnavailable(EngineError):
    """No engine answers at the moment."""

    code = "engine-unavailable"
    hint = "It is restarted by itself; `devstral-ls doctor` says what is wrong if it does not come back."


class RuntimeFolderUnusable(EngineUnavailable):
    """The folder of sockets and locks cannot be used: not ours, not private, read-only, or full."""

    code = "runtime-folder"
    hint = "Make it writable, or set DEVSTRAL_LS_RUNTIME_DIR to a folder of your own; it is tried again by itself."


class EngineBusy(EngineError):
    """The engine is loading, or every slot is taken."""

    code = "engine-busy"
    hint = "Wait a moment; the status says when it is ready."


class GenerationFailed(EngineError):
    """The engine broke off a generation."""

    code = "generation-failed"


class EngineSilent(GenerationFailed):
    """The engine holds a request and says nothing, for far longer than its rate explains."""

    code = "engine-silent"


class EngineTooSlow(GenerationFailed):
    """A remote engine was not done when the time for a request was over, whatever it had sent by then."""

    code = "engine-too-slow"
    hint = (
        "See how busy the server is and what its log says; a smaller model or a smaller model.contextTokens is faster."
    )


class ModelError(EngineError):
    """Something about the model file."""

    code = "model"
    hint = "`devstral-ls model list` shows the models on this machine."


class ModelNotFound(ModelError):
    """No such model here."""

    code = "model-not-found"
    hint = "Install one: `devstral-ls model pull starter`, or `devstral-ls model import PATH`."


class ModelUnsupported(ModelError):
    """A good file, but not one this engine can run."""

    code = "model-unsupported"


class ModelLoadFailed(ModelError):
    """The engine refused the file, or died over it."""

    code = "model-load-failed"
    hint = "`devstral-ls engine logs` shows the engine's last words."


class ModelTooBig(ModelError):
    """The model does not fit this machine's memory."""

    code = "model-too-big"
    hint = "Use a smaller model or quantisation, or a smaller model.contextTokens."


class ModelCorrupt(ModelError):
    """Not a GGUF file, or a damaged one."""

    code = "model-corrupt"
    hint = "Fetch it again: `devstral-ls model pull NAME`, or import another file."
