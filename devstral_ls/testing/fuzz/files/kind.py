"""One kind of hostile file: a column of the table in ``kinds``."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

Make = Callable[[random.Random], bytes]
Read = Callable[[bytes], str]

MOST_SECONDS = 2.0
"""Of processor time, for reading one file; what other processes take does not count."""


@dataclass(frozen=True)
class Kind:
    """A kind of hostile file: its generator and its reader."""

    name: str
    share: int
    """Percentage of files of this kind."""
    make: Make
    """Returns the same bytes for the same random state."""
    reader: Callable[[Path], Read]
    """Called once in a process, with a working folder. It returns a function that reads a file and names the outcome in a
    word; any exception is a defect."""


def damaged(data: bytes, chance: random.Random, most: int = 3) -> bytes:
    """``data`` with a few random changes of bytes."""
    made = bytearray(data)
    for _ in range(chance.randint(1, most)):
        at = chance.randint(0, len(made))
        other = chance.randint(at, min(len(made), at + 80))
        match chance.randrange(7):
            case 0:
                made[at:other] = b""
            case 1:
                made[at:at] = chance.choice(TOKENS)
            case 2:
                made[at:at] = made[at:other] * chance.choice((1, 2, 50))
            case 3 if at < len(made):
                made[at] = chance.randrange(256)
            case 4:
                del made[at:]
            case 5:
                made[at:other] = chance.choice(TOKENS)
            case _:
                made[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(made)


TOKENS = tuple(
    text.encode("utf-8", "surrogatepass")
    for text in (
        "\0", "\r", "\r\n", "\n", "\x0c", "\x85", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\udc80", "\ud83d", "😀", "e\u0301" * 30,
        "(", "[", "{", "}", ")", '"', "'", '"""', "`", "${", "/*", "*/", "//", "#", "<!--", "<?php", "\\", "\t", " " * 200, ":", ";",
        "1e999", "-1", "99999999999999999999", "9" * 5000, "nan", "inf", "null", "true", "[[[[", "{{{{", "=", '""',
        "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|im_start|>", "<|im_end|>", "[INST]", "[/INST]", "[PREFIX]",
        "[SUFFIX]", "<s>", "</s>", "<fim_prefix>", "<fim-middle>", "<｜fim▁hole｜>", "<|endoftext|>", "<start_of_turn>", "▁<PRE>",
        "def f(", "class A", "function", "=>", "import", "fn ", "end", "-----BEGIN PRIVATE KEY-----", "password = 'aB3$", "!", "**", "*",
    )
)  # fmt: skip
"""Inserted text: everything that has a meaning in some format or language."""
