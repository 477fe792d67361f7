"""DOC_STYLES: how each language writes the comment that documents a definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from devstral_ls.languages.language import Language


@dataclass(frozen=True, slots=True)
class DocStyle:
    """One way to write it."""

    about: str
    """For the model, behind "Write the documentation comment"."""
    opening: str
    """What it begins with; ``{name}`` is filled in."""
    line: str
    """What every further line begins with."""
    closing: str
    """What ends it; empty: the first line that does not go on."""
    inside: bool = False
    """Is it the first statement of the body?"""


_JAVADOC = DocStyle(" in Javadoc style, with @param and @return", "/**\n * ", " * ", "*/")
_JSDOC = DocStyle(" in JSDoc style, with @param and @returns", "/**\n * ", " * ", "*/")
_DOXYGEN = DocStyle(" in Doxygen style", "/**\n * ", " * ", "*/")

DOC_STYLES: Mapping[str, DocStyle] = {
    "python": DocStyle(" as a docstring", '"""', "", '"""', inside=True),
    "javascript": _JSDOC,
    "typescript": _JSDOC,
    "typescriptreact": _JSDOC,
    "java": _JAVADOC,
    "kotlin": _JAVADOC,
    "scala": _JAVADOC,
    "php": _JAVADOC,
    "c": _DOXYGEN,
    "cpp": _DOXYGEN,
    "csharp": DocStyle(" as /// lines with <summary>", "/// <summary>\n/// ", "/// ", ""),
    "go": DocStyle(" as // lines; it begins with the name", "// {name} ", "// ", ""),
    "rust": DocStyle(" as /// lines", "/// ", "/// ", ""),
    "ruby": DocStyle(" as # lines", "# ", "# ", ""),
    "shellscript": DocStyle(" as # lines", "# ", "# ", ""),
}
"""By language id. A language that is not here gets no comments from us."""


def doc_style(language: Language) -> DocStyle | None:
    """The style of ``language``."""
    return DOC_STYLES.get(language.id)
