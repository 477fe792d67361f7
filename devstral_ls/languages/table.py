"""LANGUAGES: one row for each supported programming language.

A row with a ``grammar`` is served by its syntax tree and ``queries/<queries>/scopes.scm``; any other row by
indentation alone. Differences between languages are columns here, never branches elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from types import MappingProxyType

from devstral_ls.languages.language import Grammar, Language

_C_OPENS = r"(?:\{|^\s*(?:case\b.*|default)\s*:)$"
_PYTHON_OPENS = (
    r"^\s*(?:(?:async\s+)?(?:def|class|if|elif|else|for|while|try|except|finally|with|match|case)\b.*|[)\]}].*):$"
)
_RUBY_OPENS = (
    r"^\s*(?:def|class|module|if|unless|while|until|case|when|else|elsif|begin|rescue|ensure|for)\b(?!.*\bend$)"
    r"|\bdo(?:\s*\|[^|]*\|)?$|\{(?:\s*\|[^|]*\|)?$"
)
_SHELL_OPENS = r"(?:\{|\b(?:then|do|else|in)|^\s*[^()\s]+\))$"
_JULIA_OPENS = (
    r"^\s*(?:function|macro|if|elseif|else|for|while|(?:mutable\s+)?struct|module|begin|let|try|catch)\b(?!.*\bend$)"
    r"|\bdo(?:\s+\w+)?$"
)
_JS_IMPORTS = r"import\b|export\b[^;]*\bfrom\b|(?:const|let|var)\s[^;]*=\s*require\("
_JVM_IMPORTS = r"(?:package|import)\s"
_END = ("end", "else", "}", ")", "]")
_SLASHES = ("/**", "///", "//!")


PLAIN = Language(
    id="plaintext", loose_brackets=True, name="Plain text", quotes="", block_openers=(), opens="", aliases=("text",)
)
"""The row of every other document."""

_ROWS = (
    Language(
        id="python", name="Python", extensions=(".py", ".pyi", ".pyw"), grammar=Grammar("tree_sitter_python"),
        queries="python", line_comment="#", long_quotes=('"""', "'''"), offside=True, block_openers=(":",),
        opens=_PYTHON_OPENS, imports=r"(?:import|from)\s",
    ),
    Language(
        id="javascript", name="JavaScript", aliases=("javascriptreact", "jsx"),
        extensions=(".js", ".jsx", ".mjs", ".cjs"), grammar=Grammar("tree_sitter_javascript"), queries="javascript",
        line_comment="//", block_comment=("/*", "*/"), doc_comments=("/**",), quotes="\"'`", regexes=True, opens=_C_OPENS,
        import_calls=("require",), imports=_JS_IMPORTS,
    ),
    Language(
        id="typescript", name="TypeScript", aliases=("ts",), extensions=(".ts", ".mts", ".cts"),
        grammar=Grammar("tree_sitter_typescript", "language_typescript"), queries="typescript", line_comment="//",
        block_comment=("/*", "*/"), doc_comments=("/**",), quotes="\"'`", regexes=True, opens=_C_OPENS,
        import_calls=("require",), imports=_JS_IMPORTS,
    ),
    Language(
        id="typescriptreact", name="TSX", aliases=("tsx",), extensions=(".tsx",),
        grammar=Grammar("tree_sitter_typescript", "language_tsx"), queries="typescript", line_comment="//",
        block_comment=("/*", "*/"), doc_comments=("/**",), quotes="\"'`", regexes=True, opens=_C_OPENS,
        import_calls=("require",), imports=_JS_IMPORTS,
    ),
    Language(
        id="go", name="Go", extensions=(".go",), grammar=Grammar("tree_sitter_go"), queries="go", line_comment="//",
        block_comment=("/*", "*/"), doc_comments=("//", "/*"), quotes="\"'`", opens=_C_OPENS, imports=_JVM_IMPORTS,
    ),
    Language(
        id="rust", name="Rust", extensions=(".rs",), grammar=Grammar("tree_sitter_rust"), queries="rust",
        line_comment="//", block_comment=("/*", "*/"), doc_comments=_SLASHES, quotes='"',
        imports=r"(?:pub(?:\([^)]*\))?\s+)?(?:use|extern\s+crate)\s|mod\s+\w+;",
    ),
    Language(
        id="java", name="Java", extensions=(".java",), grammar=Grammar("tree_sitter_java"), queries="java",
        line_comment="//", block_comment=("/*", "*/"), doc_comments=_SLASHES, opens=_C_OPENS, imports=_JVM_IMPORTS,
    ),
    Language(
        id="c", name="C", aliases=("objective-c",), extensions=(".c", ".h"), grammar=Grammar("tree_sitter_c"),
        queries="c", line_comment="//", block_comment=("/*", "*/"), doc_comments=_SLASHES, opens=_C_OPENS,
        imports=r"#\s*include\b",
    ),
    Language(
        id="cpp", name="C++", aliases=("c++", "cuda-cpp", "cuda", "objective-cpp"),
        extensions=(".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx", ".ipp", ".inl", ".cu", ".cuh"),
        grammar=Grammar("tree_sitter_cpp"), queries="cpp", line_comment="//", block_comment=("/*", "*/"),
        doc_comments=_SLASHES, opens=_C_OPENS, imports=r"#\s*include\b|using\s+\w|import\s",
    ),
    Language(
        id="csharp", name="C#", aliases=("cs", "c#"), extensions=(".cs", ".csx"),
        grammar=Grammar("tree_sitter_c_sharp"), queries="csharp", line_comment="//", block_comment=("/*", "*/"),
        doc_comments=_SLASHES, opens=_C_OPENS, imports=r"(?:global\s+)?using\s+[\w.= ]+;|namespace\s+[\w.]+;",
    ),
    Language(
        id="ruby", name="Ruby", aliases=("rb",), extensions=(".rb", ".rake", ".gemspec"),
        filenames=("gemfile", "rakefile"), grammar=Grammar("tree_sitter_ruby"), queries="ruby", line_comment="#",
        block_comment=("=begin", "=end"), doc_comments=("#",), regexes=True, block_openers=("do", "then", "else", "begin", "{"),
        opens=_RUBY_OPENS, closers=("end", "else", "elsif", "when", "rescue", "ensure", "}", ")", "]"),
        import_calls=("require", "require_relative", "load"),
        imports=r"(?:require|require_relative|load)\b",
    ),
    Language(
        id="php", name="PHP", extensions=(".php", ".phtml"), grammar=Grammar("tree_sitter_php", "language_php"),
        queries="php", line_comment="//", block_comment=("/*", "*/"), doc_comments=("/**",), opens=_C_OPENS,
        imports=r"(?:use|namespace)\s|(?:require|include)(?:_once)?\b",
    ),
    Language(
        id="shellscript", loose_brackets=True, name="Shell script", aliases=("bash", "sh", "zsh", "shell"),
        extensions=(".sh", ".bash", ".zsh", ".ksh", ".bats"), filenames=(".bashrc", ".bash_profile", ".profile", ".zshrc"),
        grammar=Grammar("tree_sitter_bash"), queries="shellscript", line_comment="#", doc_comments=("#",),
        block_openers=("{", "then", "do", "else", "in"), opens=_SHELL_OPENS,
        closers=("}", "fi", "done", "esac", "else", "elif", ";;"), import_calls=("source", "."),
        imports=r"(?:source|\.)\s",
    ),
    Language(
        id="html", loose_brackets=True, name="HTML", aliases=("xhtml",), extensions=(".html", ".htm", ".xhtml"),
        grammar=Grammar("tree_sitter_html"), queries="html", block_comment=("<!--", "-->"), quotes="",
        block_openers=(">",), opens=r"<(?![/!?]|[^>]*/>|(?:br|hr|img|input|meta|link)\b)[^<>]*>$", closers=("</",),
    ),
    Language(
        id="css", name="CSS", extensions=(".css",), grammar=Grammar("tree_sitter_css"), queries="css",
        block_comment=("/*", "*/"), imports=r"@import\b",
    ),
    Language(
        id="json", name="JSON", aliases=("jsonc", "json5"), extensions=(".json", ".jsonc", ".webmanifest"),
        grammar=Grammar("tree_sitter_json"), queries="json", quotes='"', block_openers=("{", "["), opens=r"[{\[]$",
    ),
    # Without a grammar: indentation serves these.
    Language(
        id="kotlin", name="Kotlin", long_quotes=('"""',), extensions=(".kt", ".kts"), line_comment="//", block_comment=("/*", "*/"),
        doc_comments=("/**",), opens=r"(?:\{(?:.*->)?|->)$", imports=_JVM_IMPORTS,
    ),
    Language(
        id="swift", name="Swift", long_quotes=('"""',), extensions=(".swift",), line_comment="//", block_comment=("/*", "*/"),
        doc_comments=_SLASHES, quotes='"', opens=r"(?:\{(?:.*\bin)?|^\s*(?:case\b.*|default)\s*:)$",
        imports=r"(?:@\w+\s+)?import\s",
    ),
    Language(
        id="scala", name="Scala", long_quotes=('"""',), extensions=(".scala", ".sc", ".sbt"), line_comment="//", block_comment=("/*", "*/"),
        doc_comments=("/**",), quotes='"', block_openers=("{", "=", "=>", ":"), opens=r"(?:\{|[^=<>!]=|=>|:)$",
        imports=_JVM_IMPORTS,
    ),
    Language(
        id="dart", name="Dart", extensions=(".dart",), line_comment="//", block_comment=("/*", "*/"),
        doc_comments=_SLASHES, opens=_C_OPENS, imports=r"(?:import|export|part|library)\s",
    ),
    Language(
        id="zig", name="Zig", extensions=(".zig",), line_comment="//", doc_comments=_SLASHES, quotes='"',
        imports=r"(?:pub\s+)?const\s+\w+\s*=\s*@import\(",
    ),
    Language(
        id="groovy", name="Groovy", extensions=(".groovy", ".gradle"), filenames=("jenkinsfile",), line_comment="//",
        block_comment=("/*", "*/"), doc_comments=("/**",), opens=r"\{(?:.*->)?$", imports=_JVM_IMPORTS,
    ),
    Language(
        id="lua", name="Lua", extensions=(".lua",), line_comment="--", block_comment=("--[[", "]]"),
        doc_comments=("---",), block_openers=("then", "do", "else", "repeat", ")"),
        opens=r"(?:\b(?:then|do|else|repeat)|\bfunction\b[^)]*\)|\{)$", closers=(*_END, "elseif", "until"),
        imports=r"(?:local\s+\w+\s*=\s*)?require\b",
    ),
    Language(
        id="haskell", name="Haskell", extensions=(".hs",), line_comment="--", block_comment=("{-", "-}"),
        doc_comments=("-- |",), quotes='"', offside=True, block_openers=("where", "of", "do", "=", "->"),
        opens=r"(?:\b(?:where|of|do|let|then|else)|=|->)$", imports=r"(?:import|module)\s",
    ),
    Language(
        id="elixir", name="Elixir", long_quotes=('"""',), extensions=(".ex", ".exs"), line_comment="#", block_openers=("do", "->", "else"),
        opens=r"(?:\b(?:do|else|after|rescue)|->)$", closers=(*_END, "after", "rescue"),
        imports=r"(?:import|alias|require|use)\s",
    ),
    Language(
        id="julia", name="Julia", long_quotes=('"""',), extensions=(".jl",), line_comment="#", block_comment=("#=", "=#"), quotes='"',
        block_openers=(), opens=_JULIA_OPENS, closers=(*_END, "elseif", "catch", "finally"),
        imports=r"(?:using|import)\s",
    ),
    Language(
        id="r", name="R", extensions=(".r",), line_comment="#", doc_comments=("#'",),
        imports=r"(?:library|require|source)\(",
    ),
    Language(
        id="perl", name="Perl", aliases=("perl6",), extensions=(".pl", ".pm", ".t"), line_comment="#",
        imports=r"(?:use|require|package)\s",
    ),
    Language(
        id="powershell", name="PowerShell", extensions=(".ps1", ".psm1", ".psd1"), line_comment="#",
        block_comment=("<#", "#>"), doc_comments=("<#",), imports=r"(?:using|Import-Module)\s",
    ),
    Language(
        id="sql", name="SQL", extensions=(".sql",), line_comment="--", block_comment=("/*", "*/"),
        block_openers=("(", "BEGIN", "AS"), opens=r"(?i:\(|\b(?:begin|as|then|loop))$", closers=(")", "end", "END"),
    ),
    Language(
        id="yaml", name="YAML", aliases=("dockercompose", "github-actions-workflow"), extensions=(".yml", ".yaml"),
        line_comment="#", offside=True, block_openers=(":", "|", ">"), opens=r"(?::|:\s[|>][+-]?)$",
        items=("- ",),
    ),
    Language(id="toml", name="TOML", extensions=(".toml",), line_comment="#", block_openers=("[",), opens=r"=\s*[\[{]$"),
    Language(
        id="ini", name="INI", aliases=("properties",), extensions=(".ini", ".cfg", ".conf", ".properties"),
        line_comment="#", quotes="", block_openers=(), opens="",
    ),
    Language(
        id="markdown", loose_brackets=True, name="Markdown", extensions=(".md", ".markdown"), block_comment=("<!--", "-->"), quotes="",
        block_openers=(), opens="",
    ),
    Language(
        id="dockerfile", name="Dockerfile", aliases=("docker",), extensions=(".dockerfile",),
        filenames=("dockerfile", "containerfile"), line_comment="#", block_openers=("\\",), opens=r"\\$",
    ),
    Language(
        id="makefile", name="Makefile", aliases=("make",), extensions=(".mk", ".make"),
        filenames=("makefile", "gnumakefile"), line_comment="#", block_openers=(":",),
        opens=r"^[^\s#=:][^=]*:(?!=)[^=]*$", closers=("endif", "else", "endef"), imports=r"-?include\s",
    ),
    Language(
        id="cmake", name="CMake", extensions=(".cmake",), filenames=("cmakelists.txt",), line_comment="#", quotes='"',
        block_openers=(), opens=r"^\s*(?:function|macro|if|elseif|else|foreach|while)\s*\(.*\)$",
        closers=("end", "else", ")"), imports=r"(?:include|find_package)\(",
    ),
    Language(
        id="terraform", name="Terraform", aliases=("hcl", "tf"), extensions=(".tf", ".tfvars", ".hcl"),
        line_comment="#", block_comment=("/*", "*/"), quotes='"',
    ),
    Language(
        id="proto", name="Protocol Buffers", aliases=("proto3", "protobuf"), extensions=(".proto",), line_comment="//",
        block_comment=("/*", "*/"), doc_comments=("//",), imports=r"(?:syntax|package|import)\b",
    ),
    Language(
        id="graphql", name="GraphQL", long_quotes=('"""',), extensions=(".graphql", ".gql"), line_comment="#",
        quotes='"',
    ),
    Language(
        id="scss", name="SCSS", aliases=("less",), extensions=(".scss", ".less"), line_comment="//",
        block_comment=("/*", "*/"), imports=r"@(?:import|use|forward)\b",
    ),
    Language(
        id="vue", loose_brackets=True, name="Vue", extensions=(".vue",), line_comment="//", block_comment=("<!--", "-->"), quotes="\"'`",
        block_openers=("{", ">"), opens=r"(?:\{|<(?![/!?]|[^>]*/>)[^<>]*>)$", closers=("}", ")", "]", "</"),
        imports=_JS_IMPORTS,
    ),
    Language(
        id="svelte", loose_brackets=True, name="Svelte", extensions=(".svelte",), line_comment="//", block_comment=("<!--", "-->"),
        quotes="\"'`", block_openers=("{", ">"), opens=r"(?:\{|\{[#:][^}]*\}|<(?![/!?]|[^>]*/>)[^<>]*>)$",
        closers=("}", ")", "]", "</", "{/", "{:"), imports=_JS_IMPORTS,
    ),
    Language(
        id="xml", loose_brackets=True, name="XML", aliases=("xsl",), extensions=(".xml", ".xsd", ".xsl", ".svg"),
        block_comment=("<!--", "-->"), quotes="", block_openers=(">",), opens=r"<(?![/!?]|[^>]*/>)[^<>]*>$",
        closers=("</",),
    ),
    Language(
        id="clojure", name="Clojure", extensions=(".clj", ".cljs", ".cljc", ".edn"), line_comment=";", quotes='"',
        block_openers=(), opens=r"^\s*\((?:def\w*|let|when|if|do|fn|ns)\b(?!.*\)\s*$)", closers=(")", "]", "}"),
        imports=r"\(ns\s",
    ),
    Language(
        id="ocaml", name="OCaml", extensions=(".ml", ".mli"), block_comment=("(*", "*)"), doc_comments=("(**",),
        quotes='"', block_openers=("=", "->", "struct", "begin", "of", "with"),
        opens=r"(?:=|->|\b(?:struct|begin|sig|with|then|else|do))$", closers=("end", "done", ")", "|]"),
        imports=r"open\s",
    ),
    Language(
        id="fsharp", name="F#", extensions=(".fs", ".fsx", ".fsi"), line_comment="//", block_comment=("(*", "*)"),
        doc_comments=("///",), quotes='"', offside=True, block_openers=("=", "->", "with", "then", "do"),
        opens=r"(?:=|->|\b(?:with|then|else|do|try))$", imports=r"(?:open|module|namespace)\s", items=("| ",),
    ),
)  # fmt: skip

LANGUAGES: Mapping[str, Language] = MappingProxyType({row.id: row for row in _ROWS})
"""Every row but ``PLAIN``, by ``languageId``."""

_BY_ID = {name: row for row in _ROWS for name in (row.id, *row.aliases)}
_BY_FILENAME = {name: row for row in _ROWS for name in row.filenames}
_BY_EXTENSION = {ending: row for row in _ROWS for ending in row.extensions}


def language_of(language_id: str, path: str = "") -> Language:
    """The row of a document: by the id its client gave, else by file name, else by extension, else ``PLAIN``.

    ``path`` may be a path or a URI. Never raises.
    """
    by_id = _BY_ID.get(language_id) or _BY_ID.get(language_id.lower())
    if by_id is not None or not path:
        return by_id or PLAIN
    file = PurePosixPath(path.replace("\\", "/").split("?")[0].split("#")[0] or "/").name.lower()
    by_ending = _BY_EXTENSION.get(PurePosixPath(file).suffix) if file else None
    return _BY_FILENAME.get(file) or by_ending or PLAIN
