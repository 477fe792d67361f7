"""Source text to measure on: plausible Python of any length, the same at every run."""

from __future__ import annotations

_CLASS = '''\
class Account{n}:
    """An account of customer {n}."""

    def __init__(self, owner: str, balance: float = 0.0) -> None:
        self.owner = owner
        self.balance = balance

    def deposit(self, amount: float) -> float:
        """Add an amount and return the new balance."""
        if amount <= 0:
            raise ValueError("amount must be positive")
        self.balance += amount
        return self.balance

    def withdraw(self, amount: float) -> float:
        """Take an amount, if there is enough, and return the new balance."""
        if amount > self.balance:
            raise ValueError("not enough on account of " + self.owner)
        self.balance -= amount
        return self.balance

'''

_HEADER = "    def transfer(self, other: 'Account0', amount: float) -> None:\n"


def long_file(n_lines: int, n_holes: int) -> tuple[str, int]:
    """About ``n_lines`` lines of Python, and the first of ``n_holes`` lines of 8 spaces in their middle."""
    hole = _HEADER + n_holes * "        \n"
    n_classes = max(2, (n_lines - n_holes) // _CLASS.count("\n"))
    blocks = [_CLASS.format(n=n) for n in range(n_classes)]
    middle = n_classes // 2
    before = "from dataclasses import dataclass\n\n\n" + "\n".join(blocks[:middle])
    return before + hole + "\n\n" + "\n".join(blocks[middle:]), before.count("\n") + 1
