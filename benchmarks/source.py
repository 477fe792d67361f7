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


TYPED = {
    "python": '''\
    def report(self, rates: dict[str, float], title: str = "Report") -> str:
        """What stands on this account, as a page of text.

        Each rate is shown beside what it gives.
        """
        lines = [f"{title}: {self.owner}", "-" * 40]
        for name, rate in sorted(rates.items(), key=lambda one: (one[1], one[0])):
            if rate < 0:
                raise ValueError(f"negative rate {name!r}: {rate}")
            lines.append("{:<20} {:>10.2f}".format(name, self.balance * rate / 100))
        found = {name: [self.deposit(rate) for _ in range(3)] for name, rate in rates.items()}
        return "\\n".join(lines) + str(found)
''',
    "typescript": """\
  report(rates: Map<string, number>, title: string = "Report"): string {
    /* What stands on this account,
     * as a page of text. */
    const lines: string[] = [`${title}: ${this.owner}`, "-".repeat(40)];
    for (const [name, rate] of [...rates.entries()].sort((a, b) => a[1] - b[1])) {
      if (rate < 0) {
        throw new Error(`negative rate ${name}: ${rate}`);
      }
      lines.push(name.padEnd(20) + (this.balance * rate / 100).toFixed(2));
    }
    const found = lines.map((line) => ({ line, n: line.split(" ").length }));
    return lines.join("\\n") + JSON.stringify({ found, balance: this.balance });
  }
""",
}
"""Code typed from left to right: brackets, quotes and blocks stay open for a while."""

_TS_CLASS = """\
export class Account{n} {{
  /** An account of customer {n}. */
  constructor(private owner: string, private balance: number = 0) {{}}

  deposit(amount: number): number {{
    if (amount <= 0) {{
      throw new Error("amount must be positive");
    }}
    this.balance += amount;
    return this.balance;
  }}

  async withdraw(amount: number): Promise<number> {{
    const known = [1, 2, 3].filter((one) => one < amount);
    if (amount > this.balance) {{
      throw new Error(`not enough on account of ${{this.owner}}: ${{known.length}}`);
    }}
    this.balance -= amount;
    return this.balance;
  }}
}}

"""


def around_a_method(language: str, n_lines: int) -> tuple[str, int]:
    """About ``n_lines`` lines of a language of ``TYPED``, and the number of an empty line inside a class in its middle."""
    shape, end = (_CLASS, "\n") if language == "python" else (_TS_CLASS, "}\n\n")
    n_classes = max(2, n_lines // shape.count("\n"))
    blocks = [shape.format(n=n) for n in range(n_classes)]
    middle = n_classes // 2
    opened = blocks[middle].rstrip() + "\n\n" if language == "python" else blocks[middle].rstrip()[:-1] + "\n"
    head = "from dataclasses import dataclass\n\n\n" if language == "python" else 'import { Bank } from "./bank";\n\n'
    before = head + "\n".join(blocks[:middle]) + "\n" + opened
    return before + "\n" + end + "\n".join(blocks[middle + 1 :]), before.count("\n")


def one_line(n_characters: int) -> str:
    """A line of ``n_characters`` of code without a line end, as a bundler leaves it."""
    piece = 'function f(a,b){if(a>b){return a*b+"x"}var c=[1,2,3].map(function(d){return d+a});return c};'
    return (piece * (n_characters // len(piece) + 1))[:n_characters]
