"""Secrets that no name precedes: in addresses, headers, commands, pairs of a user and a password."""

from __future__ import annotations

import re
from collections.abc import Iterator

from devstral_ls.retrieval.secrets.secret_names import NameKind
from devstral_ls.retrieval.secrets.secret_values import is_any_password, is_basic, is_secret

_WORD = r"""(?P<q>["']?)(?P<secret>(?!\$|-)[^\s"'`|<>]{4,200})(?P=q)"""

_RULES = (
    # substrings, lower-case, of which every line with a match holds one; the pattern; how its secret is judged
    (("://",), re.compile(r"\w://(?P<user>[^\s/:@'\"]{0,80}):(?P<secret>[^\s/@'\"{}$<>]{4,100})@[\w\[]"), NameKind.PASSWORD),
    (("@tcp(", "@unix("), re.compile(r"[\"'`=]\w{1,40}:(?P<secret>[^\s@'\"{}$<>]{4,100})@(?:tcp|unix)\("), NameKind.PASSWORD),
    (("://",), re.compile(r"https?://(?P<secret>[0-9a-f]{32})(?::[0-9a-f]{32})?@"), NameKind.SECRET),
    (("thin:",), re.compile(r"thin:\w{1,40}/(?P<secret>[^\s@'\"{}$<>]{4,100})@"), NameKind.PASSWORD),
    (("sig=", "sharedaccesskey=", "accountkey="),
     re.compile(r"(?i)(?:sig|SharedAccessKey|AccountKey)=(?P<secret>[A-Za-z0-9+/%]{30,}={0,2})"), NameKind.SECRET),
    (("bearer", "token ", "apikey "),
     re.compile(r"(?i)\b(?:Bearer|Token|ApiKey)\s{1,3}(?P<secret>[A-Za-z0-9+/_\-.]{16,2000}={0,2})"), NameKind.SECRET),
    (("curl", " -u"),
     re.compile(rf"\s-[a-zA-Z]{{0,6}}u\s?(?P<quote>[\"']?)[^\s:\"']{{0,60}}:{_WORD}"), NameKind.PASSWORD),
    (("curl", " -u"), re.compile(r"\s-[a-zA-Z]{0,6}u\s?[\"']?(?P<secret>[^\s:\"']{8,200}):[\"'\s]"), NameKind.SECRET),
    (("--user",), re.compile(rf"\s--user[ =]{{1,3}}(?P<quote>[\"']?)[^\s:\"']{{0,60}}:{_WORD}"), NameKind.PASSWORD),
    (("mysql", "mariadb"), re.compile(rf"\b(?:mysql\w{{0,10}}|mariadb[\w-]{{0,10}})\s(?:[^|\n]{{0,200}}\s)?-p{_WORD}"),
     NameKind.PASSWORD),
    (("sshpass", "login", "redis-cli", "sqlcmd", "bcp", "unzip", "zip -", "ldap"),
     re.compile(rf"\b(?:sshpass|(?:docker|podman|registry|az|oras)\slogin|redis-cli|sqlcmd|bcp|unzip|zip|ldap\w{{2,10}})\s"
                rf"(?:[^|\n]{{0,200}}\s)?-[paPw]\s?{_WORD}"), NameKind.PASSWORD),
    (("mongo ", "ssh-keygen"), re.compile(rf"\b(?:mongo|ssh-keygen)\s(?:[^|\n]{{0,200}}\s)?-[pNP]\s?{_WORD}"), NameKind.PASSWORD),
    (("htpasswd",), re.compile(rf"\bhtpasswd\s(?:-\w{{1,6}}\s)+\S{{1,80}}\s\S{{1,80}}\s{_WORD}"), NameKind.PASSWORD),
    (("chpasswd",), re.compile(r"[\"']\w{1,40}:(?P<secret>[^\"'\n]{4,200})[\"']\s?\|\s?(?:sudo\s)?chpasswd"), NameKind.PASSWORD),
    (("password-stdin",), re.compile(rf"\becho\s(?:-n\s)?{_WORD}\s?\|"), NameKind.PASSWORD),
    (("identified by",), re.compile(r"(?i)identified\s(?:with\s\w{1,40}\s)?by\s(?P<q>[\"'])(?P<secret>[^\"'\n]{4,200})(?P=q)"),
     NameKind.PASSWORD),
    (("fernet(",), re.compile(r"Fernet\(b?[\"'](?P<secret>[A-Za-z0-9+/_\-]{43}=)"), NameKind.SECRET),
    ((".connect(",), re.compile(r"\.connect\((?:\s?[\"'][^\"'\n]{1,80}[\"']\s?,){1,2}\s?(?P<q>[\"'])(?P<secret>[^\"'\n]{5,200})(?P=q)"),
     NameKind.PASSWORD),
    (("pass:",), re.compile(r"\bpass:(?P<secret>[^\s\"'`$]{5,200})"), NameKind.PASSWORD),
    (("auth", "login", "credential", "getconnection"),
     re.compile(r"(?i)(?:basic_?auth|\bauth|login|credentials?|getconnection)\w{0,12}\s?[=(:]\s?[(\[]?(?:new\s)?[\w.]{0,40}\(?\s?"
                r"(?:[\w.]{1,40}\s?,\s?)?[\"'][^\"'\n]{1,80}[\"']\s?,\s?(?P<q>[\"'])(?P<secret>[^\"'\n]{5,200})(?P=q)"), NameKind.PASSWORD),
    (("parametervalue=",), re.compile(r"ParameterKey=\w{0,40}(?:Password|Secret|Token)\w{0,20},ParameterValue="
                                      r"(?P<secret>[^\s\"',]{5,200})"), NameKind.PASSWORD),
)  # fmt: skip

_BASIC = re.compile(r"(?i)\bBasic\s{1,3}(?P<secret>[A-Za-z0-9+/]{8,400}={0,2})")

_PGPASS = re.compile(
    r"^[\s#]{0,20}[\w.*\-]{1,80}:(?:\d{4,5}|\*):[\w*\-]{1,60}:[\w*\-]{1,60}:(?P<secret>(?:\\.|[^\s:\\]){4,200})\s*$"
)
"""A line of a PostgreSQL password file."""


def commanded(line: str, lowered: str) -> Iterator[tuple[int, int]]:
    """The (start, end) of each secret on ``line`` that stands in such a place; ``lowered`` is the line in lower case."""
    for marks, pattern, kind in _RULES:
        if not any(mark in lowered for mark in marks):
            continue
        for match in pattern.finditer(line):
            if is_secret(match["secret"], kind) or _is_other_than_user(match):
                yield match.span("secret")
    if "basic" in lowered:
        for match in _BASIC.finditer(line):
            if is_basic(match["secret"]) or is_secret(match["secret"], NameKind.SECRET):
                yield match.span("secret")
    if line.count(":") >= 4:
        for match in _PGPASS.finditer(line):
            if is_secret(match["secret"], NameKind.PASSWORD):
                yield match.span("secret")


def _is_other_than_user(match: re.Match[str]) -> bool:
    """True for a word behind a user's name in an address that does not repeat it, as it often does in examples."""
    user = match.groupdict().get("user")
    return user is not None and is_any_password(match["secret"]) and user.lower() != match["secret"].lower()
