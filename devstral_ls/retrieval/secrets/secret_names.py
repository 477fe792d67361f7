"""Which names stand for secrets: ``dbPassword``, ``X-Auth-Token`` and ``client-key-data``, but not ``token_type``."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache


class NameKind(IntEnum):
    """How much a value has to look like a secret under such a name: the higher, the less."""

    KEY = 1
    """Something called a key, or a secret's name with an unknown word behind it."""
    AUTH = 2
    """``auth``: credentials in base64, or a flag."""
    SECRET = 3
    """Made by a machine: tokens, API keys, client secrets."""
    PASSWORD = 4
    """Made by people: anything may be one."""


_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PASSWORDS = ("password", "passwd", "passphrase", "passcode", "pwd", "passwort", "kennwort", "mnemonic", "psk", "pword")
_SECRETS = ("secret", "token", "apikey", "secretkey", "accesskey", "privatekey", "authkey", "credential")
_PASSES = _words(
    "pass dbpass userpass mypass smtppass sshpass rootpass adminpass keypass storepass ftppass mailpass ldappass requirepass"
)
"""Of the words that end in ``pass`` most mean something else: ``compass``, ``bypass``, ``minipass``."""

_QUALIFIERS = _words(
    """access account admin aes anthropic api app application auth aws azure bot client consumer crypto data deploy
    encrypt encryption google hmac jwt license map maps master openai private secret sendgrid server service session shared sign
    signing ssh storage stripe subscription supabase tls twilio webhook"""
)
"""``key`` behind one of these is a secret; others are indexes, sort keys and keys of keyboards."""

_OTHER_KEYS = _words(
    """public primary foreign cache sort partition hash index idempotency site map dict group row column natural unique
    composite candidate object routing lookup context translation i18n message query"""
)

_OTHER_TOKENS = _words("csrf xsrf eos bos pad unk sep cls mask stop eof cancellation max min num")

_HARMLESS_BEHIND = _words(
    """name names id ids type types kind kinds field fields file files filename path paths dir folder url uri endpoint header
    headers prefix suffix label hint limit count counts counter len length size sizes ttl expiry expires expire expired
    expiration timeout policy reset min max validator validators validation valid invalid hasher hashers hash hashed regex re
    pattern format placeholder required version algorithm alg algo index idx class env var variable manager provider store
    service rotation error errors message messages help text title strength button input form request requests response source
    stream map set list array pair pairs row column cost usage budget price rate ratio per position pos offset start end begin at
    age aud audience issuer scope scopes ref reference arn alias ring board code down up press pressed event binding bindings
    frame frames word words point info meta metadata status state method mode enabled disabled changed updated created sent by
    for is has confirm confirmation check checks screen page link template view controller guard interceptor middleware helper
    handler listener factory builder parser lexer description desc example caption selector attempts iterations rounds auth
    authentication lifetime duration short long weak missing wrong mismatch forgot last modified"""
)
"""Behind a secret's name these make it the name of something else."""

_SAME_BEHIND = _words(
    """value data base base64 b64 string str plain raw text default old new current prod production dev development staging live
    main root local encoded"""
)
"""Behind a secret's name these leave it one."""


@lru_cache(4096)
def name_kind(name: str) -> NameKind | None:
    """What ``name`` stands for; ``None`` when it does not stand for a secret."""
    parts = [part.lower() for part in _PARTS.findall(name[-80:])]
    for at in range(len(parts) - 1, -1, -1):
        kind = _kind_of_part(parts, at)
        if kind is None:
            continue
        behind = [part for part in parts[at + 1 :] if not part.isdigit() and len(part) > 1]
        if not _HARMLESS_BEHIND.isdisjoint(behind):
            return None
        return kind if _SAME_BEHIND.issuperset(behind) else NameKind.KEY
    return None


def _kind_of_part(parts: list[str], at: int) -> NameKind | None:
    part, before = parts[at], parts[at - 1] if at else ""
    if part.endswith(_PASSWORDS) or part in _PASSES or part == "pw":
        return NameKind.PASSWORD
    if part in ("creds", "credentials", "phrase"):
        return NameKind.PASSWORD if before in ("seed", "recovery", "pass") else NameKind.SECRET
    if part.endswith(_SECRETS):
        is_other = before in _OTHER_TOKENS or part == "jsonwebtoken" or "public" in parts[:at]
        return None if is_other else NameKind.SECRET
    if part == "key":
        return NameKind.SECRET if before in _QUALIFIERS else None if before in _OTHER_KEYS else NameKind.KEY
    return NameKind.AUTH if part in ("auth", "authorization") else None
