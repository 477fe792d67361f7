"""Redacts secrets in text for prompts: replaces keys, tokens and passwords by ``x``.

The replacement has the secret's length and keeps its line ends, so the code keeps its shape and a sticky window stays
the same from key to key. It recognizes the published formats of services' keys, private keys, passwords in addresses,
and random-looking strings that are assigned to something called a password, a key or a token.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

_SHAPES = (
    r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z2-7]{16}",  # AWS
    r"gh[pousr]_[A-Za-z0-9]{30,255}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{40,255}",
    r"gl(?:pat|ptt|dt|rt|soat|cbt|ft|imt|agent|oas)-[A-Za-z0-9_\-.]{18,}",  # GitLab
    r"xox[abeoprs]-(?:[A-Za-z0-9]+-)*[A-Za-z0-9]{10,}",  # Slack
    r"xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{20,}",
    r"(?:[sr]k|pk)_(?:live|test|prod)_[A-Za-z0-9]{16,}",  # Stripe
    r"whsec_[A-Za-z0-9+/=]{24,}",
    r"sk-(?:ant-|proj-|svcacct-|or-v1-|admin-)?[A-Za-z0-9_\-]{20,}",  # OpenAI, Anthropic, OpenRouter
    r"AIza[A-Za-z0-9_\-]{35}",  # Google
    r"GOCSPX-[A-Za-z0-9_\-]{28}",
    r"ya29\.[A-Za-z0-9_\-.]{20,}",
    r"1//0[A-Za-z0-9_\-]{30,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_\-]{40,}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{20,}",  # Docker
    r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
    r"r8_[A-Za-z0-9]{30,}",  # Replicate
    r"gsk_[A-Za-z0-9]{40,}",  # Groq
    r"pplx-[A-Za-z0-9]{40,}",
    r"xai-[A-Za-z0-9]{60,}",
    r"SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{30,}",  # SendGrid
    r"key-[0-9a-f]{32}",  # Mailgun
    r"[0-9a-f]{32}-us\d{1,2}",  # Mailchimp
    r"(?:AC|SK)[0-9a-f]{32}",  # Twilio
    r"do[opr]_v1_[a-f0-9]{64}",  # DigitalOcean
    r"dapi[a-f0-9]{32}(?:-\d)?",  # Databricks
    r"sq0(?:atp|csp|idp)-[A-Za-z0-9_\-]{22,}",  # Square
    r"EAAA[A-Za-z0-9_\-]{50,}",
    r"shp(?:at|ca|pa|ss|tka)_[a-fA-F0-9]{32}",  # Shopify
    r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}",  # Linear
    r"(?:secret|ntn)_[A-Za-z0-9]{43,50}",  # Notion
    r"NR(?:AK|JS|AA|RA)-[A-Za-z0-9]{19,}",  # New Relic
    r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}",  # Grafana
    r"glc_[A-Za-z0-9+/=]{32,}",
    r"hv[sbr]\.[A-Za-z0-9_\-]{24,}",  # Vault
    r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-=]{60,}",  # Terraform Cloud
    r"pul-[a-f0-9]{40}",  # Pulumi
    r"dp\.(?:pt|st|sa|ct|scim|audit)\.[A-Za-z0-9._\-]{40,}",  # Doppler
    r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}",  # Postman
    r"rubygems_[a-f0-9]{48}",
    r"sntr[yuis]{1,2}_[A-Za-z0-9+/=_\-]{40,}",  # Sentry
    r"figd_[A-Za-z0-9_\-]{30,}",  # Figma
    r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}",  # Airtable
    r"AGE-SECRET-KEY-1[A-Z0-9]{58}",
    r"ATATT3[A-Za-z0-9_\-=]{60,}",  # Atlassian
    r"EZ[AT]K[A-Za-z0-9]{54}",  # EasyPost
    r"fl[wy]_?[A-Za-z]*SEC[A-Z]*-[A-Za-z0-9\-]{12,}",
    r"FLWSEC(?:_TEST|_LIVE)?-[A-Za-z0-9\-]{12,}",  # Flutterwave
    r"fo1_[A-Za-z0-9_\-]{40,}",  # Fly
    r"sbp_[a-f0-9]{40}",  # Supabase
    r"vc[pikar]?_[A-Za-z0-9]{24,}",  # Vercel
    r"rnd_[A-Za-z0-9]{28,}",  # Render
    r"CFPAT-[A-Za-z0-9_\-]{40,}",  # Contentful
    r"\d{8,10}:AA[A-Za-z0-9_\-]{33}",  # Telegram
    r"[MNO][A-Za-z0-9_\-]{23,27}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,40}",  # Discord
    r"eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{10,}",  # JSON Web Token
    r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/+_\-]{20,}",
    r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/[A-Za-z0-9_\-]{30,}",
)
"""Formats of services' keys, from their documentation; each has a prefix that identifies the service."""

_BY_SHAPE = re.compile(r"(?<![A-Za-z0-9_])(?:" + "|".join(_SHAPES) + r")")

_RUN = re.compile(r"(?<![\w\-.+/=:])[\w\-.+/=:]{15,}", re.ASCII)
"""A run of characters that keys consist of, as long as the shortest key: formats are only searched in those."""

_PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?P<secret>.*?)(?:-----END|\Z)", re.DOTALL
)  # fmt: skip

_PEM_END = re.compile(r"^.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY", re.MULTILINE)
_PEM_LINE = re.compile(r"""[\s"'`+#/*]*[A-Za-z0-9+/=]{4,}[\s"'`+,;\\rn]*""")
"""A line of a private key whose beginning is not in the text: windows and excerpts are cut anywhere."""

_IN_ADDRESS = re.compile(r"\w://[^\s/:@'\"]{0,80}:(?P<secret>[^\s/@'\"{}$<>]{4,100})@[\w\[]", re.IGNORECASE)

_BEARER = re.compile(r"\b(?:Bearer|Basic|Token)\s+(?P<secret>[A-Za-z0-9+/_\-.]{20,}={0,2})")

_AZURE = re.compile(r"(?:AccountKey|SharedAccessKey|sig)=(?P<secret>[A-Za-z0-9+/%]{30,}={0,2})")

_ASSIGNED = re.compile(
    r"""(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|(?:access|auth|private|encryption|signing)[_-]?key
    |credential)s?[\w\-]{0,20}
    ["']?\]?\s{0,3}(?::\s{0,2}(?:str|String|string|&str)\s{0,2})?(?:=>|:=|=|:)\s{0,3}[bru]?(?P<quote>["'`])
    (?P<secret>(?:(?!(?P=quote))[^\n\\]){6,200})(?P=quote)?""",
    re.IGNORECASE | re.VERBOSE,
)

_SUSPICIOUS = re.compile(r"pass|pwd|secret|token|key|credential", re.IGNORECASE)
"""Found in every match of ``_ASSIGNED``."""

_REACH = 32, 320
"""Characters before and after such a word that a match of ``_ASSIGNED`` around it can span."""

_UNQUOTED = re.compile(
    r"^[ \t]{0,16}(?:export[ ])?(?=[A-Z])[A-Z0-9_]{0,40}?(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)"
    r"[A-Z0-9_]{0,20}\s?[=:]\s?(?P<secret>[^\s\"'$<>{}()\[\]#,;]{8,200})",
    re.MULTILINE,
)

_MARKED = (
    (_PEM, ("-----BEGIN ",)),
    (_IN_ADDRESS, ("://",)),
    (_BEARER, ("Bearer", "Basic", "Token")),
    (_AZURE, ("Key=", "sig=")),
    (_UNQUOTED, ("PASS", "SECRET", "TOKEN", "KEY")),
)
"""Patterns, and substrings of which every text with a match contains one."""

_PLACEHOLDER = re.compile(
    r"""(?ix) ^(?: \W+ | x+ | \*+ | \.+ | (.)\1+ | your.* | my.* | some.* | .*example.* | .*change.?me.* | .*placeholder.*
    | .*dummy.* | .*\$\{.* | .*\{\{.* | .*%\(.* | .*%s.* | <.*> | \{.*\} | .*\s\w+\s.* | todo.* | test.* | fake.* | none | null
    | redacted.* | (?:[a-z]+[_\-./: ])*[a-z]+ | [A-Z][A-Z_]+ | [\w./\-]*\.\w{1,5} | https?://.* | \#.* | (?:[A-Z]?[a-z]+)+ )$"""
)
"""Values that are not secrets even under a suspicious name: placeholders, words, names of variables, paths, addresses."""

MIN_BITS = 2.6
"""The least Shannon entropy, in bits per character, of a string under a suspicious name that counts as a secret."""

_UNFINISHED = re.compile(
    r"(?:AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[sr]k_(?:live|test)_|sk-(?:ant-|proj-)?|AIza|npm_|pypi-|hf_|"
    r"SG\.|dckr_pat_|eyJ|hvs\.)[A-Za-z0-9_\-.]{4,}\Z"
)
"""A key that is still being typed."""


def secrets(text: str) -> list[tuple[int, int]]:
    """The (start, end) of each secret in code points, in order and without overlap."""
    spans = sorted(_matches(text))
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def redacted(text: str) -> str:
    """``text`` with ``x`` for every character of a secret except its line ends."""
    parts: list[str] = []
    at = 0
    for start, end in secrets(text):
        parts += text[at:start], re.sub(r"[^\r\n]", "x", text[start:end])
        at = end
    return "".join(parts) + text[at:] if parts else text


def redacted_around(before: str, after: str) -> tuple[str, str] | None:
    """The redacted text before and after a cursor; ``None`` when the cursor is in a secret or behind an unfinished one."""
    spans = secrets(before + after)
    if any(start < len(before) <= end for start, end in spans) or _UNFINISHED.search(before[-200:]):
        return None
    if not spans:
        return before, after
    whole = redacted(before + after)
    return whole[: len(before)], whole[len(before) :]


def _matches(text: str) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(text):
        for match in _BY_SHAPE.finditer(text, run.start(), run.end()):
            if not _is_made_up(match[0]):
                yield match.span()
    yield from _cut_keys(text)
    for pattern, marks in _MARKED:
        if not any(mark in text for mark in marks):
            continue
        for match in pattern.finditer(text):
            if pattern is _PEM or not _is_harmless(match["secret"]):
                yield match.span("secret")
    for start, end in _regions(text):
        for match in _ASSIGNED.finditer(text, start, end):
            if not _is_harmless(match["secret"]):
                yield match.span("secret")


def _cut_keys(text: str) -> Iterator[tuple[int, int]]:
    """The key lines above each end of a private key."""
    for match in _PEM_END.finditer(text):
        start = match.start()
        while start:
            above = text.rfind("\n", 0, start - 1) + 1
            if not _PEM_LINE.fullmatch(text, above, start):
                break
            start = above
        if start < match.start():
            yield start, match.start()


def _regions(text: str) -> Iterator[tuple[int, int]]:
    """The (start, end) of the regions that ``_ASSIGNED`` is searched in, in order and without overlap."""
    before, behind = _REACH
    start = end = -1
    for word in _SUSPICIOUS.finditer(text):
        if word.start() - before > end:
            if end >= 0:
                yield start, end
            start = max(0, word.start() - before)
        end = word.end() + behind
    if end >= 0:
        yield start, end


def _is_made_up(token: str) -> bool:
    """True for a key format without a key, as in ``ghp_xxxxxxxx``."""
    return entropy(token[-16:]) < MIN_BITS - 0.6


def _is_harmless(value: str) -> bool:
    return entropy(value) < MIN_BITS or _PLACEHOLDER.match(value) is not None


def entropy(text: str) -> float:
    """The Shannon entropy of ``text`` in bits per character."""
    n = len(text)
    return -sum(count / n * math.log2(count / n) for count in Counter(text).values()) if n else 0.0
