"""Tells secrets from words: what a value must look like to be one, under a name of a given kind."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter

from devstral_ls.retrieval.secrets.secret_names import NameKind

MIN_BITS = 2.6
"""The least Shannon entropy of a secret, in bits per character."""

_FOLLOWERS = (
    "aabcdgiklmnprstuvxy baeilorsu cacehiklorstu dadefilorstu eabcdefgilmnopqrstvwxy faefilortu gaeghilnorsu haeiot "
    "iabcdefglmnoprstvxz j keis ladeilopstuy mabeilmopsu nacdefgiklnostuv oabcdfgiklmnoprstuvw paehiloprstuy qu "
    "racdefgiklmnoprstuy sacehiklopstuy tacefhilmoprstuy uabcefgilmnprst vaei waeior xeipt ypst ze"
)
_COMMON = frozenset(word[0] + follower for word in _FOLLOWERS.split() for follower in word[1:])
"""The 260 most frequent pairs of letters in the words of Python's library and some packages."""

WORD = 0.7
"""The least part of common pairs in a word: 93 % of 11,110 words of code are above, 2 % of 16 random letters."""

_RUNS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_PLACEHOLDER = re.compile(
    r"""(?ix) \W+ | (.)\1+ | (?:your|my|some|test|fake|todo|redacted|the|insert|enter|put|replace|sample)(?:[-_ <].*|) | x{3,}.*
    | .*(?:example|change.?me|placeholder|dummy|\$\{|\{\{|\$\(|%\(|(?<!\w)%(?-i:[sd])(?!\w)|xxxx|\*\*\*\*|\.\.\.|\{[a-z_]*\}).* | <.*> | \{.*\} | \[.*\]
    | your.* | none | null | nil | true | false | undefined | required | optional | string | \#[0-9a-f]{3,8}
    | https?://.* | (?:~|\.\.?)/.* | /.*[$*+\])]/[a-z]* | .*(?:0123456|abcdefg|1234567890).*
    | (?:min|max|length|size|required|string|nullable|confirmed|sometimes)[|:,=].* | .*(?:\\[dws]|\[[^\]]*-[^\]]*\]|\(\?).*"""
)
"""What stands in for a secret: placeholders, names of variables to be filled in, addresses, patterns, rules for forms."""

_ABOUT_SECRETS = re.compile(
    r"pass|pwd|secret|token|user|login|auth|field|input|form|hash|cred|(?<![a-z])keys?(?![a-z])|passwort|kennwort",
    re.IGNORECASE,
)
"""Words of names and messages about secrets; no generator makes them, and few people choose them."""

_ALGORITHM = re.compile(
    r"(?i)(?:(?:sha|md|bcrypt|argon|scrypt|pbkdf|aes|rsa|utf|base|u?int|float|hmac|ed|pkcs|string|varchar|char|iso|oauth|http|"
    r"tls|ssl|arg|str|var|val|value|db)[-_ ]?\d{1,4}(?:[-_][\w-]{0,10})?[a-zA-Z]?|(?:hs|rs|es|x|v|h|t|p|s|k)\d{1,4})"
)

_STOP = """a an and are as at be by can enter for from has have if in invalid is it its key login must name new no not of on or
    password please secret should that the this to token user username was were will with wrong your old missing"""
_STOP_WORDS = frozenset(_STOP.split())
_PHRASE = re.compile(r"[a-z]{3,}(?:([ \-])[a-z]{3,}(?:\1[a-z]{3,}){1,10}|([_.])[a-z]{3,}(?:\2[a-z]{3,}){2,10})")
_INSIDE = re.compile(r"(?<=\w)[@#%^&*+=~$!?](?=\w)")
_LOOSE_PATH = re.compile(r"[~.]{0,2}/?(?:[\w.\-@]+/)+[\w.\-]*|[\w\-]+(?:\.[\w\-]+)+")
_HEX = re.compile(r"(?i)[0-9a-f]{16,}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_NUMBERED = re.compile(r"[A-Za-z]{4,}\d{2,8}")
_CHAIN = re.compile(r"[-!&*@+~]{0,2}[A-Za-z_$][\w$]*(?:(?:\.|::|->|\?\.|!\.|\?\?)[\w$]+)*")
"""An expression of code: a name, or names with dots between them."""


def is_secret(value: str, kind: NameKind, *, literal: bool = True) -> bool:
    """True when ``value`` is a secret under a name of ``kind``.

    ``literal`` is False where no quotes say that the value is none of the program's names.
    """
    value = value.strip()
    if len(value) < 5 or _PLACEHOLDER.fullmatch(value):
        return False
    if not literal and _is_expression(value, kind):
        return False
    if kind is NameKind.PASSWORD:
        return _is_password(value)
    if kind is NameKind.AUTH:
        return is_basic(value) or (len(value) >= 20 and _is_generated(value))
    if kind is NameKind.KEY:
        return len(value) >= 20 and _is_generated(value) and not _HEX.fullmatch(value) and _has_three_classes(value)
    return _is_generated(value)


def is_any_password(value: str) -> bool:
    """True for any word in the place of a password in an address or a connection string, but for placeholders."""
    return (
        len(value) >= 6 and value.isalnum() and not _PLACEHOLDER.fullmatch(value) and not _ABOUT_SECRETS.search(value)
    )


def is_phrase(value: str) -> bool:
    """True for three or more words that tell nothing: a pass phrase, and no message about one."""
    if not _PHRASE.fullmatch(value):
        return False
    words = re.split(r"[ \-_.]", value)
    return _STOP_WORDS.isdisjoint(words) and len(set(words)) == len(words)


def is_basic(value: str) -> bool:
    """True when ``value`` is base64 of a user's name, a colon and a password."""
    if len(value) < 8 or len(value) % 4 or not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", value):
        return False
    try:
        user, colon, secret = base64.b64decode(value).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return bool(user and colon and secret) and user.isprintable() and secret.isprintable()


def is_random(text: str, words: float = 0.5) -> bool:
    """True when less than a part ``words`` of ``text`` can be read as words, and its characters vary."""
    runs = _RUNS.findall(text)
    n = sum(map(len, runs))
    return n >= 6 and entropy(text) >= MIN_BITS and sum(len(run) for run in runs if _is_word(run)) < n * words


def entropy(text: str) -> float:
    """The Shannon entropy of ``text`` in bits per character."""
    n = len(text)
    return -sum(count / n * math.log2(count / n) for count in Counter(text).values()) if n else 0.0


def _is_word(run: str) -> bool:
    if len(run) < 3 or run.isdigit():
        return False
    run = run.lower()
    return sum(run[i : i + 2] in _COMMON for i in range(len(run) - 1)) >= WORD * (len(run) - 1)


def _is_password(value: str) -> bool:
    if is_phrase(value):
        return True
    if re.search(r"\s\S+\s", value) or _ALGORITHM.fullmatch(value) or entropy(value) < 1.5:
        return False  # a sentence, or the name of an algorithm
    has_digit = any(char.isdigit() for char in value)
    if _ABOUT_SECRETS.search(value):
        return (
            has_digit and len(value) >= 8 and (is_random(value) or (bool(_INSIDE.search(value)) and " " not in value))
        )
    if has_digit:
        return not _LOOSE_PATH.fullmatch(value) or is_random(value)
    if not value.isalpha():
        return bool(_INSIDE.search(value)) and " " not in value
    return (len(value) >= 8 and is_random(value)) or (len(value) >= 16 and value.islower())


def _is_generated(value: str) -> bool:
    if len(value) < 12:
        return len(value) >= 8 and _has_three_classes(value) and value.isalnum() and is_random(value)
    if re.search(r"\s", value):
        return False
    if _UUID.fullmatch(value):
        return True
    n_digits = sum(char.isdigit() for char in value)
    if n_digits == len(value) or (not n_digits and len(value) < 16):
        return False
    return is_random(value)


def _is_expression(value: str, kind: NameKind) -> bool:
    """True when ``value``, without quotes, is more likely code than a secret."""
    chain = _CHAIN.match(value)
    if chain is None:
        return value[0] in "([{|>&*!%@`" and not (is_random(value) and not re.search(r"[(\[{]", value))
    rest = value[chain.end() :]
    if rest[:1] and rest[0] in "([{<":
        return not (len(value) >= 16 and re.search(r"[!@#%^&]\w", rest) and is_random(value))
    if rest:  # no expression of names alone: operators, or a secret with signs in it
        return not any(char.isdigit() for char in value) or bool(re.fullmatch(r"[\w.]+(?:[-+*/|]|==|!=|<=|>=)[\w.]+\s*", value)
            and not is_random(value) and kind is not NameKind.PASSWORD)  # fmt: skip
    if (any(char.isdigit() for char in value) or len(value) >= 24) and is_random(value):
        return len(value) < (8 if kind is NameKind.PASSWORD else 16)
    return not (kind is NameKind.PASSWORD and _NUMBERED.fullmatch(value))


def _has_three_classes(value: str) -> bool:
    classes = (str.isupper, str.islower, str.isdigit)
    return all(any(is_of(char) for char in value) for is_of in classes)
