"""The models on this machine: one folder each, with the GGUF file and a ``model.json`` that says where it came from.

``<models>/<name>/<file>.gguf`` and ``<models>/<name>/model.json``; a folder appears whole or not at all, since it is
made in ``<models>/.partial`` and renamed.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from devstral_ls.errors import ModelError, ModelNotFound
from devstral_ls.models.catalog import MODELS
from devstral_ls.models.download.progress import Phase, Progress, Report, silent
from devstral_ls.models.gguf.header import read_header, split_parts
from devstral_ls.models.lock import exclusive
from devstral_ls.models.units import gigabytes
from devstral_ls.platform.offline import is_offline
from devstral_ls.platform.paths import NOWHERE

AUTO = "auto"
"""The name that means: the best installed model."""

_IMPORT_ONE = "Bring a GGUF file and run `devstral-ls model import PATH`; fetching is forbidden while offline."
_PARTIAL = ".partial"
_RECORD = "model.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._+-]+")
_SPLIT_ENDING = re.compile(r"-\d{5}-of-\d{5}$")
_PREFERRED = "devstral-"
_COPY_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that can be loaded."""

    name: str
    path: Path
    """Of the GGUF file; of its first part if it is split."""
    size: int
    """In bytes, all parts together."""
    source: str
    """Where it came from, for people."""
    licence: str = ""


def installed(models_dir: Path) -> list[InstalledModel]:
    """The models in the store, best first. Reads no model file; folders that make no sense are passed over."""
    try:
        folders = sorted(entry.path for entry in os.scandir(models_dir) if not entry.name.startswith("."))
    except OSError:
        return []
    return ranked(model for folder in folders if (model := _read_folder(Path(folder))) is not None)


def ranked(models: Iterable[InstalledModel]) -> list[InstalledModel]:
    """Best first: Devstral, then what the catalog knows in its order, then others by name, models for tests last."""
    order = {name: number for number, name in enumerate(MODELS)}

    def rank(model: InstalledModel) -> tuple[bool, bool, int, str]:
        row = MODELS.get(model.name)
        is_toy = row is not None and row.for_tests
        return (is_toy, not model.name.startswith(_PREFERRED), order.get(model.name, len(order)), model.name)

    return sorted(models, key=rank)


def installed_as(models_dir: Path, name: str) -> InstalledModel | None:
    """The model in the store under ``name``."""
    return _read_folder(models_dir / name) if _NAME.fullmatch(name) else None


def choose(models_dir: Path, name: str) -> InstalledModel:
    """The model that ``name`` means: ``auto``, a name in the store or in the catalog, or a path.

    Raises:
        ModelNotFound: there is none; the hint says how to get it.
    """
    if name != AUTO:
        return _named(models_dir, name)
    models = installed(models_dir)
    if not models and NOWHERE in models_dir.parents:
        raise _homeless()
    if not models:
        raise ModelNotFound("no model is installed", hint=_IMPORT_ONE if is_offline() else None)
    return models[0]


def find(models_dir: Path, name_or_path: str) -> Path:
    """The file of the model that ``name_or_path`` means, as for ``choose``.

    Raises:
        ModelNotFound: there is none; the hint says how to get it.
    """
    return choose(models_dir, name_or_path).path


def import_file(models_dir: Path, path: Path, name: str | None = None, progress: Report = silent) -> InstalledModel:
    """Put the model at ``path`` into the store: by hard link, or as a copy where that cannot be. The original stays.

    Raises:
        ModelNotFound: there is no file at ``path``.
        ModelCorrupt, ModelUnsupported: it is no model we can run.
        ModelError: the name cannot be used or is taken, or there is no space.
    """
    path = Path(os.path.expanduser(path))
    header = read_header(path)
    name = checked_name(_default_name(path) if name is None else name)
    with building(models_dir, name, progress) as folder:
        if installed_as(models_dir, name):
            raise ModelError(
                f"there is already a model named {name!r}",
                hint=f"Choose another with --name, or remove it first: `devstral-ls model remove {name}`.",
            )
        ready = fresh_folder(folder / "ready")
        for part in split_parts(path):
            start = Progress(name, Phase.COPYING, 0, header.file_size)
            _link_or_copy(part.resolve(), ready / part.name, start, progress)
        return place(models_dir, name, ready, path.name, source=f"imported from {path.resolve()}")


def remove(models_dir: Path, name: str) -> None:
    """Take the model out of the store, and what is left of unfinished fetches of it; broken folders go too.

    Raises:
        ModelNotFound: it is not in the store.
        ModelError: it cannot be removed.
    """
    folder = models_dir / name
    if not _NAME.fullmatch(name) or not folder.is_dir():
        raise _not_installed(models_dir, name)
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise ModelError(f"cannot remove {name!r}: {error.strerror or error}", hint="Is it in use?") from None
    shutil.rmtree(models_dir / _PARTIAL / name, ignore_errors=True)


def checked_name(name: str) -> str:
    """``name`` if a model can be called so.

    Raises:
        ModelError: it cannot.
    """
    if not _NAME.fullmatch(name) or name == AUTO:
        raise ModelError(
            f"a model cannot be named {name!r}",
            hint="Use letters, digits, dots, dashes and underscores, beginning with a letter or a digit.",
        )
    return name


@contextmanager
def building(models_dir: Path, name: str, progress: Report) -> Iterator[Path]:
    """A folder to make the model ``name`` in, for one process at a time.

    It goes away when all went well; else it stays for the next try, but for its ``ready`` folder.

    Raises:
        ModelError: the store cannot be written.
    """
    folder = models_dir / _PARTIAL / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder.with_name(f"{name}.lock"), lambda: progress(Progress(name, Phase.WAITING, 0, 0))):
            try:
                folder.mkdir(exist_ok=True)
                yield folder
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                shutil.rmtree(folder / "ready", ignore_errors=True)
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"cannot write to {str(models_dir)!r}: {reason}", hint="Free some space there.") from None


def fresh_folder(folder: Path) -> Path:
    """``folder``, made anew and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def place(
    models_dir: Path, name: str, ready: Path, file: str, source: str, licence: str = "", sha256: str | None = None
) -> InstalledModel:
    """Rename the folder ``ready``, which holds ``file``, into the store as ``name``.

    Raises:
        ModelCorrupt, ModelUnsupported: ``file`` is no model we can run.
    """
    size = read_header(ready / file).file_size
    record = {"name": name, "file": file, "size": size, "sha256": sha256, "source": source, "licence": licence}
    (ready / _RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    target = models_dir / name
    if target.exists():  # a broken one: those that can be used were found before
        shutil.rmtree(target)
    ready.replace(target)
    return InstalledModel(name, target / file, size, source, licence)


def check_space(models_dir: Path, n_bytes: int) -> None:
    """Is there room for ``n_bytes`` more?

    Raises:
        ModelError: there is not.
    """
    free = shutil.disk_usage(models_dir).free
    if n_bytes > free:
        raise ModelError(
            f"not enough space in {str(models_dir)!r}: {gigabytes(n_bytes)} needed, {gigabytes(free)} free",
            hint="Free some space, or choose another folder with DEVSTRAL_LS_DATA_DIR.",
        )


def _read_folder(folder: Path) -> InstalledModel | None:
    """The model in ``folder``; ``None`` if it is not whole."""
    try:
        record = json.loads((folder / _RECORD).read_text("utf-8"))
        path = folder / Path(record["file"]).name
        size = sum(part.stat().st_size for part in split_parts(path))
        if size != record["size"]:
            return None
        return InstalledModel(folder.name, path, size, str(record["source"]), str(record.get("licence", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _named(models_dir: Path, name: str) -> InstalledModel:
    if model := installed_as(models_dir, name):
        return model
    if not _is_path(name):
        raise _not_installed(models_dir, name)
    path = Path(os.path.expanduser(name))
    if path.is_file():
        size = sum(part.stat().st_size for part in split_parts(path) if part.is_file())
        return InstalledModel(_default_name(path), path.absolute(), size, "path")
    raise ModelNotFound(f"there is no model file at {name!r}")


def _is_path(name: str) -> bool:
    """A bare word is never a path: a file of that name in the working directory must not be taken for the model."""
    return Path(name).name != name or name.lower().endswith(".gguf")


def _not_installed(models_dir: Path, name: str) -> ModelNotFound:
    if NOWHERE in models_dir.parents:
        return _homeless()
    if name in MODELS:
        return ModelNotFound(f"the model {name!r} is not installed", hint=f"Run `devstral-ls model pull {name}`.")
    known = [*MODELS, *(model.name for model in installed(models_dir))]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else None
    return ModelNotFound(f"there is no model named {name!r}", hint=hint)


def _homeless() -> ModelNotFound:
    return ModelNotFound(
        "there is no home folder, and so no folder of models",
        hint="Set HOME or DEVSTRAL_LS_DATA_DIR where your editor is started, or DEVSTRAL_LS_MODEL to a GGUF file.",
    )


def _default_name(path: Path) -> str:
    """A name made of the file's: without ``.gguf`` and the number of the part, and nothing but plain characters."""
    stem = _SPLIT_ENDING.sub("", path.name.removesuffix(path.suffix))
    plain = _NOT_IN_NAMES.sub("-", stem).lstrip("._+-").rstrip("-")[:100]
    return plain if plain and plain != AUTO else "model"


def _link_or_copy(original: Path, copy: Path, start: Progress, progress: Report) -> None:
    try:
        os.link(original, copy)
    except OSError:
        check_space(copy.parent, original.stat().st_size)
        with original.open("rb") as source, copy.open("wb") as target:
            while data := source.read(_COPY_BYTES):
                target.write(data)
                progress(replace(start, done=target.tell()))
