"""The settings of a remote engine, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from devstral_ls.settings.tree import Settings


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """The ``engine`` settings that count where ``engine.kind`` is ``remote``."""

    base_url: str | None = None
    dialect: str = "auto"
    remote_model: str | None = None
    api_key_env: str | None = None
    """The name of an environment variable, never the key itself."""
    allow_remote: bool = False
    ca_file: str | None = None
    context_tokens: int | Literal["auto"] = "auto"

    @staticmethod
    def of(settings: Settings) -> RemoteOptions:
        """Those of ``settings``."""
        engine = settings.engine
        return RemoteOptions(
            base_url=engine.base_url,
            dialect=engine.dialect,
            remote_model=engine.remote_model,
            api_key_env=engine.api_key_env,
            allow_remote=engine.allow_remote,
            ca_file=engine.ca_file,
            context_tokens=settings.model.context_tokens,
        )
