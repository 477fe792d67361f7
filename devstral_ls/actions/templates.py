"""The instructions of the rows, from ``templates/*.md``: what the model is, and what it is asked, parted by a line of dashes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from string import Template

_PARTED = "\n---\n"


@cache
def _template(name: str) -> tuple[Template, Template]:
    text = (resources.files("devstral_ls.actions") / "templates" / name).read_text(encoding="utf-8")
    system, _, user = text.partition(_PARTED)
    return Template(system.strip()), Template(user.strip())


def filled(name: str, values: Mapping[str, str]) -> tuple[str, str]:
    """System and user text of ``templates/<name>`` with ``values`` put in. Text put in is not looked at again.

    Raises:
        KeyError: the template asks for something ``values`` do not have.
    """
    system, user = _template(name)
    return system.substitute(values), user.substitute(values)
