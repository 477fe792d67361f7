"""The formats of services' keys, from their documentation; gitleaks' rules were read to see which exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from devstral_ls.retrieval.secrets.secret_values import entropy, is_random

_SHAPES = (
    r"(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z2-7]{16}",  # AWS
    r"ABSK[A-Za-z0-9+/]{80,}={0,2}",
    r"gh[pousr]_[A-Za-z0-9]{30,255}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{40,255}",
    r"gl(?:pat|ptt|dt|rt|soat|cbt|ft|ffct|imt|agent|oas)-[A-Za-z0-9_\-.]{18,}",  # GitLab
    r"GR1348941[A-Za-z0-9_\-]{20}",
    r"xox[abeoprs]-(?:[A-Za-z0-9]+-)*[A-Za-z0-9]{10,}",  # Slack
    r"xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{20,}",
    r"(?:[sr]k|pk)_(?:live|test|prod)_[A-Za-z0-9]{16,}",  # Stripe
    r"whsec_[A-Za-z0-9+/=]{24,}",
    r"sk-(?:(?:ant|proj|svcacct|or-v1|admin)-[A-Za-z0-9_\-]{20,}|[A-Za-z0-9]{20,})",  # OpenAI, Anthropic, OpenRouter
    r"AIza[A-Za-z0-9_\-]{35}",  # Google
    r"GOCSPX-[A-Za-z0-9_\-]{28}",
    r"ya29\.[A-Za-z0-9_\-.]{20,}",
    r"1//0[A-Za-z0-9_\-]{30,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_\-]{40,}",
    r"dckr_(?:pat|oat)_[A-Za-z0-9_\-]{20,}",  # Docker
    r"(?:hf|api_org)_[A-Za-z0-9]{30,}",  # Hugging Face
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
    r"(?<![+/=])EAAA[A-Za-z0-9_\-]{50,}(?![+/=])",
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
    r"https?://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/+_\-]{20,}",
    r"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/[A-Za-z0-9_\-]{30,}",
    r"LS0tLS1CRUdJTi(?:BSU0Eg|BQUklW|BFQyBQ|BPUEVOU1NI|BFTkNS|BEU0Eg)[A-Za-z0-9+/=]{20,}",  # a private key in base64
    r"\$(?:2[abxy]|5|6|7|y|gy|apr1|argon2(?:id|i|d)|scrypt)\$[A-Za-z0-9./$=,+]{20,}",  # hashes of passwords
    r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.\-]{31,34}",  # Azure
    r"ops_eyJ[A-Za-z0-9+/]{100,}={0,3}",  # 1Password
    r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
    r"LTAI[A-Za-z0-9]{20}",  # Alibaba
    r"AKCp[A-Za-z0-9]{69}|cmVmd[A-Za-z0-9]{59}",  # Artifactory
    r"CLOJARS_[a-z0-9]{60}",
    r"dt0c01\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{64}",  # Dynatrace
    r"duffel_(?:test|live)_[A-Za-z0-9_\-=]{43}",
    r"fm[12][ar]?_[A-Za-z0-9+/]{100,}={0,3}",  # Fly
    r"fio-u-[A-Za-z0-9\-_=]{64}",  # Frame.io
    r"4b1d[A-Za-z0-9]{38}",  # ClickHouse
    r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk",  # MaxMind
    r"API-[A-Z0-9]{26}",  # Octopus Deploy
    r"sha256~[A-Za-z0-9_\-]{43}",  # OpenShift
    r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_=.\-]{32,64}",  # PlanetScale
    r"pnu_[A-Za-z0-9]{36}",  # Prefect
    r"rdme_[a-z0-9]{70}",  # ReadMe
    r"xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}",  # Brevo
    r"shippo_(?:live|test)_[a-fA-F0-9]{40}",
    r"sgp_(?:[a-fA-F0-9]{16}_|local_)?[a-fA-F0-9]{40}",  # Sourcegraph
    r"tfp_[A-Za-z0-9_\-.=]{59}",  # Typeform
    r"NRII-[A-Za-z0-9\-]{32}",  # New Relic
    r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}",  # Cloudflare
    r"p8e-[A-Za-z0-9]{32}",  # Adobe
    r"\d{15,16}(?:\||%7C)[A-Za-z0-9\-_]{27,40}",  # Facebook
    r"(?<![+/=])EAA[MC][A-Za-z0-9]{100,}(?![+/=])",
    r"s-s4t2(?:ud|af)-[0-9a-f]{64}",  # 42
    r"https://[a-z0-9]+\.webhook\.office\.com/webhookb2/[A-Za-z0-9@/\-]{80,}",  # Teams
)
"""Formats of services' keys, from their documentation; each has a prefix that identifies the service."""

_BY_SHAPE = re.compile(r"(?<![A-Za-z0-9_])(?:" + "|".join(_SHAPES) + r")")

_MIN_WORD = 16
_RUN = re.compile(r"[A-Za-z0-9_\-+/~]{16,}")
"""Every key has such a run of characters, with a digit in it or a prefix below: formats are only searched in words that do."""

_LETTERS_ONLY = ("hf_", "api_org_", "AKIA", "ASIA")

UNFINISHED = re.compile(
    r"(?:AKIA|ASIA|gh[pousr]_|github_pat_|gl(?:pat|dt|rt|ptt)-|xox[abeoprs]-|[sr]k_(?:live|test)_|sk-(?:ant-|proj-)?|AIza|npm_|"
    r"pypi-|hf_|SG\.|dckr_pat_|eyJ|hvs\.|do[opr]_v1_|gsk_|LTAI)[A-Za-z0-9_\-.]{4,}\Z"
)
"""A key that is still being typed."""


def keys(text: str) -> Iterator[tuple[int, int]]:
    """The (start, end) of each key with a published format in ``text``."""
    for word in {word for word in text.split() if len(word) >= _MIN_WORD}:
        found = _in_word(word) if len(word) < 1_000 else _search(word)
        if not found:
            continue
        at = text.find(word)
        while at >= 0:
            yield from ((at + start, at + end) for start, end in found)
            at = text.find(word, at + len(word))


def _search(word: str) -> tuple[tuple[int, int], ...]:
    word = word.partition(";base64,")[0]  # an image or a font
    if not any(_has_digit(run[0]) for run in _RUN.finditer(word)) and not any(mark in word for mark in _LETTERS_ONLY):
        return ()
    return tuple(match.span() for match in _BY_SHAPE.finditer(word) if _is_key(match[0]))


_in_word = lru_cache(4096)(_search)
"""The words of a window are the same from key to key."""


def _has_digit(run: str) -> bool:
    return not run.isdigit() and any(char.isdigit() for char in run)


def _is_key(match: str) -> bool:
    """False for a format without a key, as in ``ghp_xxxxxxxx``, and for names that begin like one."""
    n_digits = sum(char.isdigit() for char in match)
    if entropy(match[-16:]) < 2:
        return False
    return (
        n_digits >= (1 if match[:4] in _LETTERS_ONLY else 2) or is_random(match[-24:]) or is_random(match, words=0.75)
    )
