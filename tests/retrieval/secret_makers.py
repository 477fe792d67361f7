"""Made-up secrets as services, generators and people make them, put together at run time, and cases with one each."""

from __future__ import annotations

import base64
import random
import string
from collections.abc import Callable
from dataclasses import dataclass

_random = random.Random()
DIGITS, HEX, LOWER, ALNUM = (
    string.digits,
    "0123456789abcdef",
    string.ascii_lowercase,
    string.ascii_letters + string.digits,
)
UPPER = string.ascii_uppercase + string.digits
_WORDS = """anchor basket copper donkey ember falcon garden hollow island jungle kettle lantern marble needle orchard pepper quarry
    ribbon saddle timber umber velvet walnut yonder zipper"""


@dataclass(frozen=True, slots=True)
class Case:
    """A text with a secret in it."""

    name: str
    text: str
    secret: str


def some(n: int, alphabet: str = ALNUM) -> str:
    """``n`` random characters; at least one is a digit where the alphabet has any, as services' generators see to."""
    made = "".join(_random.choice(alphabet) for _ in range(n))
    if n >= 8 and "0" in alphabet and not any(c.isdigit() for c in made):
        made = made[:-1] + _random.choice(DIGITS)
    return made


def password(n: int = 12, symbols: str = "!@#%^*_+-?") -> str:
    """As a generator of passwords makes them: letters, digits and symbols, and a letter at each end."""
    inner = [_random.choice(ALNUM) for _ in range(n - 5)] + [_random.choice(DIGITS), *_random.choices(symbols, k=2)]
    _random.shuffle(inner)
    return _random.choice(LOWER) + "".join(inner) + _random.choice(LOWER.upper())


def typed() -> str:
    """As people make them: a word, digits, perhaps a sign."""
    word = _random.choice(_WORDS.split())
    return _random.choice([word.title(), word]) + some(_random.choice([2, 4]), DIGITS) + _random.choice(["", "!", "#"])


def phrase(separator: str = " ", n: int = 4) -> str:
    return separator.join(_random.sample(_WORDS.split(), n))


def b64(n: int) -> str:
    return base64.b64encode(_random.randbytes(n)).decode()


def pair() -> str:
    return base64.b64encode(f"deploy:{password(14)}".encode()).decode()


def jwt() -> str:
    part = base64.urlsafe_b64encode
    head = part(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = part(b'{"sub":"' + some(12).encode() + b'","admin":true}').decode().rstrip("=")
    return f"{head}.{body}.{some(43)}"


def pem_lines(n: int = 4) -> str:
    return "\n".join(b64(48) for _ in range(n))


def begin(kind: str = "RSA ") -> str:
    return f"-----BEGIN {kind}PRIV" + "ATE KEY-----"


def end(kind: str = "RSA ") -> str:
    return f"-----END {kind}PRIV" + "ATE KEY-----"


def aws() -> str:
    return some(40, ALNUM + "/+")


Template = tuple[str, Callable[[], str]]
"""A text, in which ``{}`` is where the secret goes and ``¶`` a line end, and what makes the secret."""


def case(name: str, template: Template) -> Case:
    """The case made from ``template``."""
    _random.seed(name)
    text, secret = template[0], template[1]()
    return Case(name, text.replace("¶", "\n").replace("{}", secret), secret)


def leaks(case: Case, shown: str) -> bool:
    """True when eight consecutive characters of the secret, or all of a shorter one, are in ``shown``."""
    for line in case.secret.split("\n"):
        n = min(8, len(line))
        if any(line[i : i + n] in shown for i in range(len(line) - n + 1)):
            return True
    return False
