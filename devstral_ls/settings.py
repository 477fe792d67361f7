"""The settings tree: every name a user may write, its default and one sentence about it.

Read from several sources, later wins (``contract.md``): the user file, ``initializationOptions``,
``workspace/configuration``, the environment. A bad value costs its own key and one message, never the session.
The JSON schema and the Markdown page are made from the same fields, in ``settings_pages.py``.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from devstral_ls.related import SOURCES

Auto = Literal["auto"]

Use = Literal["inline", "actions"]
"""What a model is asked for: ghost text and completion items, or code actions."""

_T = TypeVar("_T")


def _setting(default: _T, about: str, *, low: float | None = None, high: float | None = None) -> _T:
    """A field with its sentence and, for numbers, its bounds."""
    made: _T = field(default=default, metadata={"about": about, "low": low, "high": high})
    return made


@dataclass(frozen=True)
class ModelSettings:
    """Which model answers. Honoured from the user only."""

    name: str = _setting("auto", "A catalog name or a path to a GGUF file; `auto` is the best installed one.")
    context_tokens: int | Auto = _setting(
        "auto", "Tokens of context for each request; `auto` follows model and machine.", low=256, high=1_000_000
    )
    calibrate: Literal["auto", "never"] = _setting(
        "auto", "Measure a new model on this machine while nobody asks for anything; `never`: only by command."
    )
    allow_download: bool = _setting(False, "Let the server fetch a model by itself when none is installed.")


@dataclass(frozen=True)
class EngineSettings:
    """The process that holds the model. Honoured from the user only."""

    kind: Literal["managed", "remote"] = _setting(
        "managed", "`managed` starts an engine on this machine, `remote` uses the one at `baseUrl`."
    )
    base_url: str | None = _setting(
        None, "Address of a remote engine: `https://HOST[:PORT]`, `http://127.0.0.1:PORT` or `unix:/PATH`."
    )
    dialect: Literal["auto", "llama-server", "openai", "openai-chat", "ollama"] = _setting(
        "auto", "How a remote engine is spoken to; `auto` asks it, `openai-chat` uses nothing but conversations."
    )
    remote_model: str | None = _setting(None, "The model's name at the remote engine.")
    api_key_env: str | None = _setting(None, "Name of the environment variable that holds the remote engine's key.")
    allow_remote: bool = _setting(False, "Allow an engine that is neither on loopback nor on a Unix socket.")
    ca_file: str | None = _setting(
        None, "A PEM file of certificates to trust for a remote engine, beside the system's; TLS is always verified."
    )
    threads: int | Auto = _setting("auto", "Threads of the engine; `auto`: physical cores minus one.", low=1, high=1024)
    gpu_layers: int | Auto = _setting("auto", "Layers on the GPU; `auto`: all where there is one.", low=0, high=10_000)
    slots: int | Auto = _setting("auto", "Conversations the engine keeps apart in its cache.", low=1, high=64)
    idle_minutes: float = _setting(30, "Minutes without a client after which the engine leaves.", low=0.001, high=1e6)
    backend: Literal["auto", "llama.cpp", "ctransformers"] = _setting("auto", "The library that runs the model.")


@dataclass(frozen=True)
class InlineSettings:
    """Ghost text."""

    enable: bool = _setting(True, "Show ghost text.")
    debounce_ms: int | Auto = _setting(
        "auto", "Milliseconds of quiet before an automatic request asks the model.", low=0, high=10_000
    )
    latency_budget_ms: int = _setting(600, "Milliseconds a suggestion may take before it is late.", low=50, high=60_000)
    multiline: Literal["auto", "never", "always"] = _setting(
        "auto", "Several lines: `auto` where the code asks for it."
    )
    max_tokens: int | Auto = _setting("auto", "The most tokens of one suggestion.", low=1, high=4096)
    min_confidence: float = _setting(
        0.0, "Suggestions the model is less sure of are not shown. (Not used yet.)", low=0, high=1
    )
    disabled_languages: tuple[str, ...] = _setting((), "Language ids for which nothing is suggested.")
    in_comments: bool = _setting(True, "Suggest inside comments, too.")
    excerpts: tuple[str, ...] = _setting(SOURCES, "What of other files the model is shown; an empty list: nothing.")
    model: str | None = _setting(
        None, "Another model for ghost text and completion items, by the same names as `model.name`."
    )


@dataclass(frozen=True)
class CompletionSettings:
    """The same suggestions in the completion list."""

    enable: bool = _setting(False, "Offer suggestions in the completion list.")
    wait_ms: int = _setting(50, "The most milliseconds the completion list waits for us.", low=0, high=10_000)


@dataclass(frozen=True)
class ActionsSettings:
    """Code actions."""

    enable: bool = _setting(True, "Offer code actions. (Not used yet.)")
    model: str | None = _setting(None, "Another model for code actions only. (Not used yet.)")
    apply: Literal["live", "atEnd"] = _setting(
        "live", "Write an edit while it is generated, or at its end. (Not used yet.)"
    )


@dataclass(frozen=True)
class PrivacySettings:
    """What may never reach a prompt. Honoured from the user only."""

    exclude: tuple[str, ...] = _setting(
        (".env*", "*.pem", "*.key", "*.p12", "*.pfx", "*.crt", "id_rsa*", "id_ed25519*", ".netrc", ".npmrc", ".pypirc",
         "*credentials*", "*secrets*"),
        "Files of these names are never read, and nothing is suggested in them.",
    )  # fmt: skip
    redact_secrets: bool = _setting(
        True, "Take keys and tokens out of prompts, and suggest nothing where one is being typed."
    )
    respect_ignore_files: bool = _setting(True, "Neither read what .gitignore and .ignore name nor suggest in it.")


@dataclass(frozen=True)
class LogSettings:
    """The server's log. Honoured from the user only."""

    level: Literal["debug", "info", "warning", "error"] = _setting("warning", "The least important lines kept.")
    contents: bool = _setting(False, "Log document text and prompts, too: for debugging on your own machine.")
    file: str | None = _setting(None, "Write the log to this file instead of stderr.")


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


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a settings source that was not used."""

    key: str
    """Dotted, as the user wrote it: ``inline.debounceMs``."""
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"


def read(tree: object, base: Settings | None = None, *, user: bool = True) -> tuple[Settings, list[Problem]]:
    """``base`` with what ``tree`` says, and what of it could not be used.

    Never raises. ``tree`` is a settings tree in camelCase, as it comes from JSON or TOML. With ``user=False`` (a
    workspace's own word) the sections of ``USER_ONLY`` are left alone, and said to be.
    """
    settings = base or Settings()
    if tree is None:
        return settings, []
    if not isinstance(tree, Mapping):
        return settings, [Problem("settings", f"expected a table of sections, got {_kind(tree)}")]
    problems: list[Problem] = []
    known = {f.name for f in fields(Settings)}
    for name, values in tree.items():
        if name not in known:
            problems.append(Problem(str(name), "no such section"))
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
        return base, [Problem(name, f"expected a table, got {_kind(values)}")]
    hints = typing.get_type_hints(type(base))
    known = {camel(f.name): f for f in fields(base)}
    changes: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in values.items():
        if key not in known:
            problems.append(Problem(f"{name}.{key}", "no such setting"))
            continue
        if not user and f"{name}.{key}" in USER_ONLY_KEYS:
            problems.append(Problem(f"{name}.{key}", _NOT_YOURS))
            continue
        found = known[key]
        try:
            changes[found.name] = _value(hints[found.name], value, found.metadata)
        except ValueError as error:
            problems.append(Problem(f"{name}.{key}", str(error)))
    return replace(base, **changes), problems


def _value(hint: Any, value: object, bounds: Mapping[str, Any]) -> object:
    """``value`` as the type ``hint`` wants it.

    Raises:
        ValueError: it is not of that type, or out of bounds; the message says what is expected.
    """
    for kind in alternatives(hint):
        if typing.get_origin(kind) is Literal and value in typing.get_args(kind):
            return value
        if kind is types.NoneType and value is None:
            return None
        if kind in (bool, str) and type(value) is kind:
            return value
        if kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
            if kind is int and int(value) != value:
                continue
            return kind(_in_bounds(value, bounds))
        is_list = typing.get_origin(kind) is tuple and isinstance(value, list | tuple)
        if is_list and all(isinstance(item, str) for item in typing.cast("list[object]", value)):
            return tuple(typing.cast("list[str]", value))
    raise ValueError(f"expected {expected(hint, bounds)}, got {value!r}")


def _in_bounds(value: float, bounds: Mapping[str, Any]) -> float:
    low, high = bounds.get("low"), bounds.get("high")
    if (low is not None and value < low) or (high is not None and value > high) or value != value:
        raise ValueError(f"expected a number from {low} to {high}, got {value!r}")
    return value


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The types a union allows; the type itself where it is none."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return typing.get_args(hint)
    return (hint,)


def expected(hint: Any, bounds: Mapping[str, Any]) -> str:
    """What a value of type ``hint`` must be, in words."""
    words = []
    for kind in alternatives(hint):
        if typing.get_origin(kind) is Literal:
            words += [f'"{choice}"' for choice in typing.get_args(kind)]
        elif typing.get_origin(kind) is tuple:
            words.append("a list of strings")
        else:
            words.append(_KINDS[kind])
    return " or ".join(words)


_KINDS: Mapping[Any, str] = {
    bool: "true or false",
    str: "a string",
    int: "a whole number",
    float: "a number",
    types.NoneType: "null",
}


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a list" if isinstance(value, list) else type(value).__name__)


def camel(name: str) -> str:
    """``debounce_ms`` as it is written in JSON and TOML: ``debounceMs``."""
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)
