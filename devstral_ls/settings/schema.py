"""The pages made from the settings tree: JSON schema, ``docs/settings.md``, the section of the VS Code extension.

The former name of a renamed setting stays in the schemas, marked as deprecated, so that editors still accept and send it.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Literal

from devstral_ls.settings.tree import USER_ONLY, USER_ONLY_KEYS, Settings, alternatives, camel, expected

_SOURCES = (
    "Sources, later wins: defaults, the user file `settings.toml`, `initializationOptions`, "
    "`workspace/configuration` section `devstral`, the environment."
)


def schema() -> dict[str, Any]:
    """The tree as a JSON schema."""
    sections = {
        section.name: {
            "type": "object",
            "description": _about(section.default_factory),
            "additionalProperties": False,
            "properties": _properties(section.default_factory),
        }
        for section in fields(Settings)
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "devstral-ls settings",
        "type": "object",
        "additionalProperties": False,
        "properties": sections,
    }


def _properties(section: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(section)
    made: dict[str, Any] = {}
    for f in fields(section):
        options = [_json_type(kind, f.metadata) for kind in alternatives(hints[f.name])]
        entry: dict[str, Any] = {"description": f.metadata["about"], "default": _json(f.default)}
        entry |= options[0] if len(options) == 1 else {"anyOf": options}
        made[camel(f.name)] = entry
    return made | {
        f.metadata["formerly"]: {
            **made[camel(f.name)],
            "description": f"Renamed to `{camel(f.name)}`.",
            "deprecated": True,
        }
        for f in fields(section)
        if f.metadata["formerly"]
    }


def _json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _json_type(kind: Any, bounds: Mapping[str, Any]) -> dict[str, Any]:
    if typing.get_origin(kind) is Literal:
        return {"enum": list(typing.get_args(kind))}
    if typing.get_origin(kind) is tuple:
        items = {"enum": list(bounds["choices"])} if bounds["choices"] else {"type": "string"}
        return {"type": "array", "items": items}
    names = {bool: "boolean", str: "string", int: "integer", float: "number", types.NoneType: "null"}
    made: dict[str, Any] = {"type": names[kind]}
    if kind in (int, float):
        made |= {
            word: bounds[key] for word, key in (("minimum", "low"), ("maximum", "high")) if bounds[key] is not None
        }
    return made


def _about(section: Any) -> str:
    return (section.__doc__ or "").strip()


def vscode_configuration() -> list[dict[str, Any]]:
    """``contributes.configuration`` of the VS Code extension: one page for each section.

    Settings that a workspace cannot set have VS Code's scope ``machine``.
    """
    return [
        {
            "title": section.name.capitalize(),
            "properties": {
                f"devstral.{section.name}.{key}": _vscode_property(f"{section.name}.{key}", entry, order)
                for order, (key, entry) in enumerate(_properties(section.default_factory).items())
            },
        }
        for section in fields(Settings)
    ]


def _vscode_property(key: str, entry: dict[str, Any], order: int) -> dict[str, Any]:
    is_users = key.split(".")[0] in USER_ONLY or key in USER_ONLY_KEYS
    names = {"description": "markdownDescription", "deprecated": "markdownDeprecationMessage"}
    described = {
        names.get(word, word): entry["description"] if word == "deprecated" else value for word, value in entry.items()
    }
    return {**described, "scope": "machine" if is_users else "window", "order": order}


def markdown() -> str:
    """The page ``docs/settings.md``."""
    lines = [
        "# Settings",
        "",
        "Made from `devstral_ls/settings/tree.py` by `devstral-ls settings --markdown`; edit the fields there.",
        _SOURCES,
    ]
    for section in fields(Settings):
        kind: Any = section.default_factory
        hints = typing.get_type_hints(kind)
        lines += ["", f"## `{section.name}`", "", _about(kind), "", "| key | values | default | |", "|---|---|---|---|"]
        for f in fields(kind):
            values = expected(hints[f.name], f.metadata).replace("|", "\\|")
            lines.append(f"| `{camel(f.name)}` | {values} | `{_written(f.default)}` | {f.metadata['about']} |")
    return "\n".join(lines) + "\n"


def _written(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
