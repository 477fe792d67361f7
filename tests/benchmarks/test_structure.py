"""The figures that are read from syntax trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import structure

FILES = {
    "__init__.py": "",
    "a.py": '"""Doc."""\n\nfrom devstral_ls import b\n\n\nclass Thing:\n    """Doc."""\n\n    def f(self):  # why\n        return """x\n        y"""\n',
    "b.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from devstral_ls.c.d import Other\n\nclass Other:\n    pass\n",
    "c/__init__.py": "",
    "c/d.py": "def late():\n    from .. import a\n\nclass Other:\n    pass\n",
    "c/b.py": "class _Thing:\n    pass\n",
    "testing/kit.py": "class Thing:\n    pass\n",
    "m.py": (
        "class Maps:\n    def f(self, document, uri, key, other):\n        self._a[uri] = 1\n        self._b.get(document.uri)\n"
        "        self._c.pop(uri, None)\n        uri in self._d\n        self._e[key] = 1\n        other._f[uri] = 1\n"
        "    async def generate(self, request):\n        async with self._engine.generate(request) as chunks:\n            yield chunks\n"
        "class Leaf:\n    async def generate(self, request):\n        yield self.generate(request)\n"
    ),
}  # fmt: skip


@pytest.fixture
def known(tmp_path: Path) -> dict[str, structure.Module]:
    for name, text in FILES.items():
        path = tmp_path / "devstral_ls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return structure.modules(tmp_path)


def test_the_product_is_without_its_testing_kit(known: dict[str, structure.Module]) -> None:
    assert set(known) == {"devstral_ls", *(f"devstral_ls.{name}" for name in ("a", "b", "c", "c.b", "c.d", "m"))}


def test_docstrings_comments_blank_lines_and_the_rest_of_a_string_are_no_code(
    known: dict[str, structure.Module],
) -> None:
    assert structure.code_lines(known["devstral_ls.a"]) == 4


def test_a_circle_goes_through_functions_and_type_checking(known: dict[str, structure.Module]) -> None:
    graph = {name: structure.imports(module, known) for name, module in known.items()}
    assert structure.circles(graph) == [["devstral_ls.a", "devstral_ls.b", "devstral_ls.c.d"]]


def test_public_names_that_stand_twice_are_found(known: dict[str, structure.Module]) -> None:
    assert structure.twice(structure.classes(known)) == {"Other": ["devstral_ls.b", "devstral_ls.c.d"]}


def test_maps_by_uri_and_wrappers_of_generate_are_found(known: dict[str, structure.Module]) -> None:
    assert structure.uri_maps(known) == [f"devstral_ls.m.Maps.{name}" for name in ("_a", "_b", "_c", "_d")]
    assert structure.generate_wrappers(known) == ["devstral_ls.m.Maps"]


def test_this_checkout_has_figures() -> None:
    rows = structure.static_figures(structure.ROOT)
    assert all(isinstance(figure, int) for figure, _ in rows.values())
    assert rows["modules"][0] > 100
