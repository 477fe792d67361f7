"""Until every branch is merged: the old import paths of what moved to ``devstral_ls.testing`` find the new modules."""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from types import ModuleType

_MOVED = {
    **{f"tests.{n}": f"devstral_ls.testing.{n}" for n in ("scripted_engine", "gguf_files", "telltale_gguf", "tekken_gguf")},
    **{f"tests.server.{n}": f"devstral_ls.testing.{n}" for n in ("lsp_client", "scripted_server")},
    **{f"tests.fuzz.{n}": f"devstral_ls.testing.fuzz.{n}" for n in (
        "chance", "conversation", "editor", "found_sessions", "server", "sessions", "files",
    )},
}  # fmt: skip


class _Alias(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return importlib.import_module(_MOVED[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = find_spec(module.__name__)


class _Finder(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        new = _MOVED.get(fullname)
        if new is None:
            return None
        if fullname.endswith("server") and new not in sys.modules:  # python -m: runpy wants a loader with code
            found = find_spec(new)
            return found and found.origin and spec_from_file_location(fullname, found.origin)
        return ModuleSpec(fullname, _Alias())


sys.meta_path.insert(0, _Finder())
