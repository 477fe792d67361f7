"""DOC_STYLES: how each language writes the comment that documents a definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from devstral_ls.languages.language import Language


@dataclass(frozen=True, slots=True)
class DocStyle:
    """One style."""

    about: str
    """The end of "Write the documentation comment", for the model."""
    opening: str
    """The beginning; ``{name}`` is the definition's name."""
    line: str
    """The beginning of every further line."""
    closing: str
    """The end; empty: the comment ends with its last line that begins with ``line``."""
    inside: bool = False
    """True when it is the first statement of the body; otherwise it stands above the definition."""


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
"""By language id. The action is not offered in a language that is not here."""


def doc_style(language: Language) -> DocStyle | None:
    """The style of ``language``; None where none is known."""
    return DOC_STYLES.get(language.id)
