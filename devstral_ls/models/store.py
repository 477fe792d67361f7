"""The models on this machine: a folder for each, with the GGUF file and a ``model.json`` that records its source.

``<models>/<name>/<file>.gguf`` and ``<models>/<name>/model.json``. A folder appears whole or not at all: it is made in
``<models>/.partial`` and renamed.
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
from devstral_ls.models.download.pull_progress import OnProgress, Phase, PullProgress, ignore_progress
from devstral_ls.models.gguf.header import read_header, split_parts
from devstral_ls.models.memory import gigabytes
from devstral_ls.platform.locks import exclusive
from devstral_ls.platform.offline import is_offline
from devstral_ls.platform.paths import NOWHERE

AUTO = "auto"
"""The name that stands for the best installed model."""

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
    """A model on this machine."""

    name: str
    path: Path
    """The GGUF file; the first part of a split model."""
    size: int
    """In bytes, of all parts."""
    source: str
    """Where it came from, as shown to the user."""
    licence: str = ""


def installed(models_dir: Path) -> list[InstalledModel]:
    """The models in the store, best first. Reads no model file and skips broken folders."""
    try:
        folders = sorted(entry.path for entry in os.scandir(models_dir) if not entry.name.startswith("."))
    except OSError:
        return []
    return by_preference(model for folder in folders if (model := _read_folder(Path(folder))) is not None)


def by_preference(models: Iterable[InstalledModel]) -> list[InstalledModel]:
    """Best first: Devstral, then the catalog's models in its order, then others by name, models for tests last."""
    order = {name: number for number, name in enumerate(MODELS)}

    def key(model: InstalledModel) -> tuple[bool, bool, int, str]:
        row = MODELS.get(model.name)
        is_toy = row is not None and row.for_tests
        return (is_toy, not model.name.startswith(_PREFERRED), order.get(model.name, len(order)), model.name)

    return sorted(models, key=key)


def installed_as(models_dir: Path, name: str) -> InstalledModel | None:
    """The model in the store under ``name``, if there is one."""
    return _read_folder(models_dir / name) if _NAME.fullmatch(name) else None


def choose(models_dir: Path, name: str) -> InstalledModel:
    """The model that ``name`` stands for: ``auto``, a name in the store, or a path.

    Raises:
        ModelNotFound: there is none; the hint says how to get one.
    """
    if name != AUTO:
        return _named(models_dir, name)
    models = installed(models_dir)
    if not models and NOWHERE in models_dir.parents:
        raise _no_home()
    if not models:
        raise ModelNotFound("no model is installed", hint=_IMPORT_ONE if is_offline() else None)
    return models[0]


def find(models_dir: Path, name_or_path: str) -> Path:
    """The file of the model that ``choose`` returns.

    Raises:
        ModelNotFound: there is none; the hint says how to get one.
    """
    return choose(models_dir, name_or_path).path


def import_file(
    models_dir: Path, path: Path, name: str | None = None, progress: OnProgress = ignore_progress
) -> InstalledModel:
    """Put the model at ``path`` into the store by hard link, or as a copy where that is not possible. The original stays.

    Raises:
        ModelNotFound: there is no file at ``path``.
        ModelCorrupt, ModelUnsupported: it is not a model that can be run.
        ModelError: the name is not allowed or is taken, or there is no space.
    """
    path = Path(os.path.expanduser(path))
    header = read_header(path)
    name = checked_name(_default_name(path) if name is None else name)
    with build_folder(models_dir, name, progress) as folder:
        if installed_as(models_dir, name):
            raise ModelError(
                f"there is already a model named {name!r}",
                hint=f"Choose another with --name, or remove it first: `devstral-ls model remove {name}`.",
            )
        ready = fresh_folder(folder / "ready")
        for part in split_parts(path):
            start = PullProgress(name, Phase.COPYING, 0, header.file_size)
            _link_or_copy(part.resolve(), ready / part.name, start, progress)
        return install(models_dir, name, ready, path.name, source=f"imported from {path.resolve()}")


def remove(models_dir: Path, name: str) -> None:
    """Remove the model from the store, with the remains of its unfinished downloads; removes broken folders, too.

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
    """``name``, if it is allowed for a model.

    Raises:
        ModelError: it is not allowed.
    """
    if not _NAME.fullmatch(name) or name == AUTO:
        raise ModelError(
            f"a model cannot be named {name!r}",
            hint="Use letters, digits, dots, dashes and underscores, beginning with a letter or a digit.",
        )
    return name


@contextmanager
def build_folder(models_dir: Path, name: str, progress: OnProgress) -> Iterator[Path]:
    """A folder to build the model ``name`` in, for one process at a time.

    It is removed on success; after a failure it stays for the next try, without its ``ready`` folder.

    Raises:
        ModelError: the store cannot be written.
    """
    folder = models_dir / _PARTIAL / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder.with_name(f"{name}.lock"), lambda: progress(PullProgress(name, Phase.WAITING, 0, 0))):
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
    """``folder``, created anew and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def install(
    models_dir: Path, name: str, ready: Path, file: str, source: str, licence: str = "", sha256: str | None = None
) -> InstalledModel:
    """Rename the folder ``ready``, which holds ``file``, into the store as ``name``.

    Raises:
        ModelCorrupt, ModelUnsupported: ``file`` is not a model that can be run.
    """
    size = read_header(ready / file).file_size
    record = {"name": name, "file": file, "size": size, "sha256": sha256, "source": source, "licence": licence}
    (ready / _RECORD).write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    target = models_dir / name
    if target.exists():  # a broken one: the caller has checked for a usable one
        shutil.rmtree(target)
    ready.replace(target)
    return InstalledModel(name, target / file, size, source, licence)


def check_space(models_dir: Path, n_bytes: int) -> None:
    """Raise unless there is space for ``n_bytes`` more.

    Raises:
        ModelError: there is not enough space.
    """
    free = shutil.disk_usage(models_dir).free
    if n_bytes > free:
        raise ModelError(
            f"not enough space in {str(models_dir)!r}: {gigabytes(n_bytes)} needed, {gigabytes(free)} free",
            hint="Free some space, or choose another folder with DEVSTRAL_LS_DATA_DIR.",
        )


def _read_folder(folder: Path) -> InstalledModel | None:
    """The model in ``folder``; ``None`` if it is incomplete."""
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
    raise ModelNotFound(f"there is no model file at {name!r}", hint=_use_installed(models_dir))


def _is_path(name: str) -> bool:
    """False for a bare word: a file of that name in the working directory must not be taken for the model."""
    return Path(name).name != name or name.lower().endswith(".gguf")


def _not_installed(models_dir: Path, name: str) -> ModelNotFound:
    if NOWHERE in models_dir.parents:
        return _no_home()
    if name in MODELS:
        return ModelNotFound(f"the model {name!r} is not installed", hint=f"Run `devstral-ls model pull {name}`.")
    names = [*MODELS, *(model.name for model in installed(models_dir))]
    similar = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {similar[0]!r}?" if similar else _use_installed(models_dir)
    return ModelNotFound(f"there is no model named {name!r}", hint=hint)


def _use_installed(models_dir: Path) -> str | None:
    """The hint that names the installed models; ``None`` without any."""
    names = ", ".join(model.name for model in installed(models_dir))
    return f"Installed: {names}. Set model.name to one of them, or to auto." if names else None


def _no_home() -> ModelNotFound:
    return ModelNotFound(
        "there is no home folder, and so no folder of models",
        hint="Set HOME or DEVSTRAL_LS_DATA_DIR where your editor is started, or DEVSTRAL_LS_MODEL to a GGUF file.",
    )


def _default_name(path: Path) -> str:
    """The name of the file without ``.gguf``, the number of the part and characters that are not allowed."""
    stem = _SPLIT_ENDING.sub("", path.name.removesuffix(path.suffix))
    plain = _NOT_IN_NAMES.sub("-", stem).lstrip("._+-").rstrip("-")[:100]
    return plain if plain and plain != AUTO else "model"


def _link_or_copy(original: Path, copy: Path, start: PullProgress, progress: OnProgress) -> None:
    try:
        os.link(original, copy)
    except OSError:
        check_space(copy.parent, original.stat().st_size)
        with original.open("rb") as source, copy.open("wb") as target:
            while data := source.read(_COPY_BYTES):
                target.write(data)
                progress(replace(start, done=target.tell()))
