"""The instructions of the actions, ``*.md`` beside this file: the system text and the user's, separated by ``---``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from string import Template

_SEPARATOR = "\n---\n"


@cache
def _template(name: str) -> tuple[Template, Template]:
    text = (resources.files(__name__) / name).read_text(encoding="utf-8")
    system, _, user = text.partition(_SEPARATOR)
    return Template(system.strip()), Template(user.strip())


def fill_template(name: str, values: Mapping[str, str]) -> tuple[str, str]:
    """System and user text of the template ``name`` with ``values`` put in. ``$`` in a value is not expanded.

    Raises:
        KeyError: the template has a variable that ``values`` lack.
    """
    system, user = _template(name)
    return system.substitute(values), user.substitute(values)
