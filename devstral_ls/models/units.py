"""Numbers of bytes as people read them."""

from __future__ import annotations


def gigabytes(n_bytes: int) -> str:
    """``n_bytes`` in GB (10**9), below a tenth of one in MB."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 100_000_000 else f"{n_bytes / 1e6:.1f} MB"
