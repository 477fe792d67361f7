"""The settings tree: every key a user may write, its default and one sentence about it.

Read from several sources, later wins: the user file, ``initializationOptions``, ``workspace/configuration``, the
environment. A bad value costs its own key and one message, never the session. The JSON schema, the Markdown page and
the section of the VS Code extension are made from the same fields, in ``settings/schema.py``.
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
    "LogSettings", "ModelSettings", "PrivacySettings", "Problem", "ReviewMode", "Settings", "Use", "alternatives", "camel", "expected",
    "read",
]  # fmt: skip

Auto = Literal["auto"]

ReviewMode = Literal["auto", "on", "off"]
"""When the experimental reviews are available; ``auto``: with models of 7B parameters or more."""

Use = Literal["inline", "actions"]
"""What a model is used for: ghost text and completion items, or code actions."""


@dataclass(frozen=True)
class ModelSettings:
    """Which model answers. Honoured from the user only."""

    name: str = setting("auto", "A catalog name or a path to a GGUF file; `auto`: the best installed model that fits.")
    context_tokens: int | Auto = setting(
        "auto",
        "Context size in tokens for each request; `auto` is chosen from the model and the machine's memory.",
        low=256,
        high=1_000_000,
    )
    calibrate: Literal["auto", "never"] = setting(
        "auto", "Benchmark a new model once on this machine while the editor is idle; `never`: only by command."
    )
    allow_download: bool = setting(False, "Allow the server to download a model when none is installed.")


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
        "auto", "API of the remote engine; `auto` detects it, `openai-chat` uses only `/v1/chat/completions`."
    )
    remote_model: str | None = setting(None, "Name of the model on the remote engine.")
    api_key_env: str | None = setting(
        None, "Name of the environment variable that holds the API key of the remote engine."
    )
    allow_remote: bool = setting(
        False, "Allow a remote engine on another machine; without it only loopback and Unix sockets."
    )
    ca_file: str | None = setting(
        None,
        "A PEM file of certificates to trust for a remote engine, in addition to the system's; TLS is always verified.",
    )
    threads: int | Auto = setting(
        "auto", "CPU threads of the engine; `auto`: physical cores minus one.", low=1, high=1024
    )
    gpu_layers: int | Auto = setting(
        "auto", "Model layers to put on the GPU; `auto`: all, if there is a GPU.", low=0, high=10_000
    )
    slots: int | Auto = setting("auto", "Number of conversations the engine keeps in its prompt cache.", low=1, high=64)
    idle_minutes: float = setting(30, "Minutes without a client after which the engine exits.", low=0.001, high=1e6)
    backend: Literal["auto", "llama.cpp", "ctransformers"] = setting("auto", "The library that runs the model.")


@dataclass(frozen=True)
class InlineSettings:
    """Ghost text."""

    enable: bool = setting(True, "Show ghost text.")
    debounce_ms: int | Auto = setting(
        "auto", "Milliseconds without a key press before an automatic request is sent to the model.", low=0, high=10_000
    )
    latency_budget_ms: int = setting(
        600, "Milliseconds until a suggestion is shown as far as it is written.", low=50, high=60_000
    )
    multiline: Literal["auto", "never", "always"] = setting(
        "auto", "Suggest several lines; `auto`: where the code calls for a block."
    )
    max_tokens: int | Auto = setting("auto", "Maximum length of a suggestion in tokens.", low=1, high=4096)
    min_confidence: float = setting(
        0.1, "Cut a line where the model is less sure than this probability; 0: never.", low=0, high=1
    )
    disabled_languages: tuple[str, ...] = setting((), "Language ids without suggestions.")
    in_comments: bool = setting(True, "Suggest inside comments.")
    context: tuple[str, ...] = setting(
        SOURCES,
        "What the model sees besides the code around the cursor; an empty list: nothing.",
        choices=SOURCES,
        formerly="excerpts",
    )
    in_strings: bool = setting(True, "Suggest inside strings.")
    prefetch: bool = setting(
        True, "Prefetch the next suggestion while you read, and the prompt around a resting cursor.", formerly="ahead"
    )
    model: str | None = setting(None, "Another model for ghost text and completion items; same values as `model.name`.")


@dataclass(frozen=True)
class CompletionSettings:
    """The same suggestions in the completion list."""

    enable: bool = setting(False, "Offer suggestions in the completion list.")
    timeout_ms: int = setting(
        50, "Milliseconds the completion list waits for a suggestion.", low=0, high=10_000, formerly="waitMs"
    )


@dataclass(frozen=True)
class ActionsSettings:
    """Code actions."""

    enable: bool = setting(True, "Offer code actions.")
    model: str | None = setting(None, "Another model for code actions; same values as `model.name`.")
    apply: Literal["live", "atEnd"] = setting(
        "live", "Apply an edit while it is generated (`live`), or when it is complete."
    )
    review: ReviewMode = setting(
        "auto", "Offer reviews (experimental); `auto`: only with models of 7B parameters or more."
    )


@dataclass(frozen=True)
class PrivacySettings:
    """What never reaches a prompt, and what is stored. Honoured from the user only."""

    exclude: tuple[str, ...] = setting(
        (".env*", "*.env", "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.ppk", "*.crt", "*.jks", "*.keystore", "*.keytab",
         "*.kdbx", "*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".netrc", "_netrc", ".pgpass", "pgpass.conf",
         ".my.cnf", ".htpasswd", ".npmrc", ".pypirc", ".s3cfg", ".boto", ".vault-token", ".dockercfg", ".docker/config.json",
         ".kube/config", "kubeconfig*", "*.tfvars", "*.tfvars.json", "*.tfstate*", "secret*.y*ml", "*credentials*", "*secrets*"),
        "Glob patterns of files that are never read and get no suggestions.",
    )  # fmt: skip
    redact_secrets: bool = setting(
        True, "Remove keys and tokens from prompts, and suggest nothing while one is being typed."
    )
    respect_ignore_files: bool = setting(
        True, "Skip files matched by .gitignore or .ignore, both as context and for suggestions."
    )
    statistics: bool = setting(
        True, "Count suggestions and what became of them, in a file on this machine: numbers and times, never text."
    )


@dataclass(frozen=True)
class LogSettings:
    """The server's log. Honoured from the user only."""

    level: Literal["debug", "info", "warning", "error"] = setting("warning", "The lowest level that is logged.")
    contents: bool = setting(False, "Also log document text and prompts: for debugging on your own machine.")
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
        """These settings with the model for ``use`` as ``model.name``, or as the remote engine's model."""
        name = self.inline.model if use == "inline" else self.actions.model
        if name is None:
            return self
        return replace(
            self,
            model=replace(self.model, name=name),
            engine=replace(self.engine, remote_model=name),
        )


USER_ONLY = frozenset({"model", "engine", "privacy", "log"})
"""Sections that a workspace cannot set: it must not decide what is executed, contacted or read."""

USER_ONLY_KEYS = frozenset({"inline.model", "actions.model"})
"""Keys of other sections that a workspace cannot set."""


_NOT_YOURS = "a workspace cannot set this; put it into your own settings"


def read(tree: object, base: Settings | None = None, *, user: bool = True) -> tuple[Settings, list[Problem]]:
    """``base`` with the values of ``tree``, and the problems to tell the user about.

    Never raises. ``tree`` is a settings tree in camelCase, as it comes from JSON or TOML. With ``user=False`` (a
    workspace's tree) sections and keys that only a user may set are ignored, with a problem for each.
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
    values, problems = _renamed(name, values, {f.metadata["formerly"]: camel(f.name) for f in fields(base)})
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


def _renamed(name: str, values: Mapping[Any, Any], renames: Mapping[str, str]) -> tuple[dict[Any, Any], list[Problem]]:
    """``values`` with the old names of keys replaced, and a warning for each; a value under the new name wins."""
    old = [key for key in values if key and key in renames]
    problems = [Problem(f"{name}.{key}", f"is now {name}.{renames[key]}; this release still takes both") for key in old]
    return {renames[key]: values[key] for key in old} | {k: v for k, v in values.items() if k not in old}, problems
