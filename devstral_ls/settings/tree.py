"""The settings tree: every name a user may write, its default and one sentence about it.

Read from several sources, later wins (``contract.md``): the user file, ``initializationOptions``,
``workspace/configuration``, the environment. A bad value costs its own key and one message, never the session.
The JSON schema and the Markdown page are made from the same fields, in ``settings_pages.py``.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from devstral_ls.code_context import SOURCES
from devstral_ls.settings.values import (
    Problem,
    alternatives,
    camel,
    expected,
    kind_of,
    named,
    setting,
    unknown,
    value_of,
)

__all__ = [
    "USER_ONLY", "USER_ONLY_KEYS", "ActionsSettings", "Auto", "CompletionSettings", "EngineSettings", "InlineSettings",
    "LogSettings", "ModelSettings", "PrivacySettings", "Problem", "Settings", "Use", "alternatives", "camel", "expected",
    "read",
]  # fmt: skip

Auto = Literal["auto"]

Use = Literal["inline", "actions"]
"""What a model is asked for: ghost text and completion items, or code actions."""


@dataclass(frozen=True)
class ModelSettings:
    """Which model answers. Honoured from the user only."""

    name: str = setting("auto", "A catalog name or a path to a GGUF file; `auto` is the best installed one.")
    context_tokens: int | Auto = setting(
        "auto", "Tokens of context for each request; `auto` follows model and machine.", low=256, high=1_000_000
    )
    calibrate: Literal["auto", "never"] = setting(
        "auto", "Measure a new model on this machine while nobody asks for anything; `never`: only by command."
    )
    allow_download: bool = setting(False, "Let the server fetch a model by itself when none is installed.")


@dataclass(frozen=True)
class EngineSettings:
    """The process that holds the model. Honoured from the user only."""

    kind: Literal["managed", "remote"] = setting(
        "managed", "`managed` starts an engine on this machine, `remote` uses the one at `baseUrl`."
    )
    base_url: str | None = setting(
        None, "Address of a remote engine: `https://HOST[:PORT]`, `http://127.0.0.1:PORT` or `unix:/PATH`."
    )
    dialect: Literal["auto", "llama-server", "openai", "openai-chat", "ollama"] = setting(
        "auto", "How a remote engine is spoken to; `auto` asks it, `openai-chat` uses nothing but conversations."
    )
    remote_model: str | None = setting(None, "The model's name at the remote engine.")
    api_key_env: str | None = setting(None, "Name of the environment variable that holds the remote engine's key.")
    allow_remote: bool = setting(False, "Allow an engine that is neither on loopback nor on a Unix socket.")
    ca_file: str | None = setting(
        None, "A PEM file of certificates to trust for a remote engine, beside the system's; TLS is always verified."
    )
    threads: int | Auto = setting("auto", "Threads of the engine; `auto`: physical cores minus one.", low=1, high=1024)
    gpu_layers: int | Auto = setting("auto", "Layers on the GPU; `auto`: all where there is one.", low=0, high=10_000)
    slots: int | Auto = setting("auto", "Conversations the engine keeps apart in its cache.", low=1, high=64)
    idle_minutes: float = setting(30, "Minutes without a client after which the engine leaves.", low=0.001, high=1e6)
    backend: Literal["auto", "llama.cpp", "ctransformers"] = setting("auto", "The library that runs the model.")


@dataclass(frozen=True)
class InlineSettings:
    """Ghost text."""

    enable: bool = setting(True, "Show ghost text.")
    debounce_ms: int | Auto = setting(
        "auto", "Milliseconds of quiet before an automatic request asks the model.", low=0, high=10_000
    )
    latency_budget_ms: int = setting(600, "Milliseconds a suggestion may take before it is late.", low=50, high=60_000)
    multiline: Literal["auto", "never", "always"] = setting("auto", "Several lines: `auto` where the code asks for it.")
    max_tokens: int | Auto = setting("auto", "The most tokens of one suggestion.", low=1, high=4096)
    min_confidence: float = setting(0.1, "Cut a line where it gets less probable than this; 0: never.", low=0, high=1)
    disabled_languages: tuple[str, ...] = setting((), "Language ids for which nothing is suggested.")
    in_comments: bool = setting(True, "Suggest inside comments, too.")
    excerpts: tuple[str, ...] = setting(
        SOURCES, "What the model is shown beside the code around the cursor; an empty list: nothing.", choices=SOURCES
    )
    in_strings: bool = setting(True, "Suggest inside strings, too.")
    ahead: bool = setting(True, "Use idle time: write what comes after the suggestion shown, read around the cursor.")
    model: str | None = setting(
        None, "Another model for ghost text and completion items, by the same names as `model.name`."
    )


@dataclass(frozen=True)
class CompletionSettings:
    """The same suggestions in the completion list."""

    enable: bool = setting(False, "Offer suggestions in the completion list.")
    wait_ms: int = setting(50, "The most milliseconds the completion list waits for us.", low=0, high=10_000)


@dataclass(frozen=True)
class ActionsSettings:
    """Code actions."""

    enable: bool = setting(True, "Offer code actions.")
    model: str | None = setting(None, "Another model for code actions only.")
    apply: Literal["live", "atEnd"] = setting("live", "Write an edit while it is generated, or at its end.")


@dataclass(frozen=True)
class PrivacySettings:
    """What may never reach a prompt, and what is kept. Honoured from the user only."""

    exclude: tuple[str, ...] = setting(
        (".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.crt", "id_rsa*", "id_ed25519*", ".netrc", ".npmrc", ".pypirc",
         "*credentials*", "*secrets*"),
        "Files of these names are never read, and nothing is suggested in them.",
    )  # fmt: skip
    redact_secrets: bool = setting(
        True, "Take keys and tokens out of prompts, and suggest nothing where one is being typed."
    )
    respect_ignore_files: bool = setting(True, "Neither read what .gitignore and .ignore name nor suggest in it.")
    statistics: bool = setting(
        True, "Count suggestions and what becomes of them, in a file on this machine: numbers and times, never text."
    )


@dataclass(frozen=True)
class LogSettings:
    """The server's log. Honoured from the user only."""

    level: Literal["debug", "info", "warning", "error"] = setting("warning", "The least important lines kept.")
    contents: bool = setting(False, "Log document text and prompts, too: for debugging on your own machine.")
    file: str | None = setting(None, "Write the log to this file instead of stderr.")


@dataclass(frozen=True)
class Settings:
    """The whole tree."""

    model: ModelSettings = field(default_factory=ModelSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    inline: InlineSettings = field(default_factory=InlineSettings)
    completion: CompletionSettings = field(default_factory=CompletionSettings)
    actions: ActionsSettings = field(default_factory=ActionsSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    log: LogSettings = field(default_factory=LogSettings)

    def answering(self, use: Use) -> Settings:
        """The same with the model that answers for ``use`` as ``model.name``, or as the remote one's."""
        name = self.inline.model if use == "inline" else self.actions.model
        if name is None:
            return self
        return replace(
            self,
            model=replace(self.model, name=name),
            engine=replace(self.engine, remote_model=name),
        )


USER_ONLY = frozenset({"model", "engine", "privacy", "log"})
"""Sections a workspace has no say in: it must not decide what is executed, contacted or read."""

USER_ONLY_KEYS = frozenset({"inline.model", "actions.model"})
"""Keys of other sections for which the same holds."""


_NOT_YOURS = "a workspace cannot set this; put it into your own settings"


def read(tree: object, base: Settings | None = None, *, user: bool = True) -> tuple[Settings, list[Problem]]:
    """``base`` with what ``tree`` says, and what of it could not be used.

    Never raises. ``tree`` is a settings tree in camelCase, as it comes from JSON or TOML. With ``user=False`` (a
    workspace's own word) the sections of ``USER_ONLY`` are left alone, and said to be.
    """
    settings = base or Settings()
    if tree is None:
        return settings, []
    if not isinstance(tree, Mapping):
        return settings, [Problem("settings", f"expected a table of sections, got {kind_of(tree)}")]
    problems: list[Problem] = []
    known = {f.name for f in fields(Settings)}
    for name, values in tree.items():
        if name not in known:
            problems.append(Problem(named(name), "no such section"))
        elif name in USER_ONLY and not user:
            problems.append(Problem(str(name), _NOT_YOURS))
        else:
            section, found = _read_section(str(name), values, getattr(settings, name), user=user)
            problems += found
            settings = replace(settings, **{name: section})
    return settings, problems


def _read_section(name: str, values: object, base: Any, *, user: bool) -> tuple[Any, list[Problem]]:
    if values is None:
        return base, []
    if not isinstance(values, Mapping):
        return base, [Problem(name, f"expected a table, got {kind_of(values)}")]
    hints = typing.get_type_hints(type(base))
    known = {camel(f.name): f for f in fields(base)}
    changes: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in values.items():
        if key not in known:
            problems.append(Problem(f"{name}.{named(key)}", "no such setting"))
            continue
        if not user and f"{name}.{key}" in USER_ONLY_KEYS:
            problems.append(Problem(f"{name}.{key}", _NOT_YOURS))
            continue
        found = known[key]
        try:
            changes[found.name], said = unknown(value_of(hints[found.name], value, found.metadata), found.metadata)
            problems += [Problem(f"{name}.{key}", said)] if said else []
        except ValueError as error:
            problems.append(Problem(f"{name}.{key}", str(error)))
    return replace(base, **changes), problems
