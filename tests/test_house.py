"""The house rules that a linter cannot hold (docs/ARCHITECTURE.md, "How the house is kept")."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnibachi.wiring import VERSION

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SOURCE_ROOTS = tuple(SETTINGS["tool"]["hatch"]["build"]["dev-mode-dirs"])

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 70
SHORTEST_DOCSTRING = 30
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "common", "base", "core", "misc"}


@pytest.fixture(scope="module")
def modules(tracked: tuple[str, ...]) -> dict[str, str]:
    """Every Python file of the project: path from the root, text. What lies in tests/cases is data of those cases."""
    names = [name for name in tracked if name.endswith(".py") and not name.startswith("tests/cases/")]
    return {name: (ROOT / name).read_text("utf-8") for name in names}


def long_functions(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            length = (node.end_lineno or node.lineno) - first + 1
            if length >= MOST_LINES_OF_A_FUNCTION:
                yield node.name, length


def test_no_file_is_too_long(modules: dict[str, str]) -> None:
    lengths = {name: text.count("\n") for name, text in modules.items()}
    assert {name: count for name, count in lengths.items() if count >= MOST_LINES_OF_A_FILE} == {}


def test_no_function_is_too_long(modules: dict[str, str]) -> None:
    assert [f"{name}: {found}" for name, text in modules.items() for found in long_functions(ast.parse(text))] == []


def test_every_module_says_what_lives_there(modules: dict[str, str]) -> None:
    docs = {name: ast.get_docstring(ast.parse(text)) or "" for name, text in modules.items()}
    silent = [name for name, doc in docs.items() if len(doc) < SHORTEST_DOCSTRING]
    assert not silent, " ".join(silent)


def test_no_module_has_a_name_that_says_nothing(modules: dict[str, str]) -> None:
    assert [name for name in modules if FORBIDDEN_NAMES & {part.removesuffix(".py") for part in Path(name).parts}] == []


def test_public_things_have_docstrings(modules: dict[str, str]) -> None:
    bare = [
        f"{name}: {node.name}"
        for name, text in modules.items()
        if name.startswith(SOURCE_ROOTS)
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert bare == []


def test_no_text_names_an_index_or_a_machine(tracked: tuple[str, ...]) -> None:
    """A clone must work anywhere: pip's own settings say where wheels come from, and no path is of one machine."""
    place = re.compile(r"(?<![\w.$}/-])/(?:work|root|home|Users|opt)/\w")
    index = re.compile(r"https?://[^\s)]*/simple\b|file:///|\bindex-url\s*[ =]\s*\w+:|--find-links|--trusted-host")
    found = []
    for name in tracked:
        data = (ROOT / name).read_bytes()
        if b"\0" in data or name == "tests/test_house.py":
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if place.search(line) or index.search(line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize("folder", SOURCE_ROOTS)
def test_importing_through_a_folder_is_refused(folder: str) -> None:
    package = next((ROOT / folder).glob("*/__init__.py")).parent.name
    linted = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--select", "TID251", "--output-format", "concise",
         "--stdin-filename", str(ROOT / "tests" / "planted.py"), "-"],
        input=f"from {folder}.{package} import anything\n", cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert linted.returncode == 1, linted.stderr
    assert "TID251" in linted.stdout


def test_each_source_root_holds_one_package() -> None:
    for folder in SOURCE_ROOTS:
        packages = [path.parent.name for path in (ROOT / folder).glob("*/__init__.py")]
        assert packages == ["omnibachi" if folder == "cli" else f"omnibachi_{folder}"]


def test_the_source_roots_are_named_alike_everywhere() -> None:
    tools = SETTINGS["tool"]
    assert tools["mypy"]["mypy_path"] == list(SOURCE_ROOTS) == tools["mypy"]["files"]
    assert tools["ruff"]["src"] == [*SOURCE_ROOTS, "tests"]
    packages = [path.parent for folder in SOURCE_ROOTS for path in (ROOT / folder).glob("*/__init__.py")]
    assert tools["hatch"]["build"]["targets"]["wheel"]["packages"] == [str(p.relative_to(ROOT)) for p in packages]
    assert sorted(tools["importlinter"]["root_packages"]) == sorted(path.name for path in packages)


def test_there_is_one_version() -> None:
    assert SETTINGS["project"]["version"] == VERSION


def test_every_dependency_is_pinned_with_hashes() -> None:
    named = [re.split(r"[<>=!~ \[]", text)[0].lower() for text in SETTINGS["project"]["dependencies"]]
    extra = [re.split(r"[<>=!~ \[]", text)[0].lower() for text in SETTINGS["project"]["optional-dependencies"]["dev"]]
    runtime, dev = pins("constraints.txt"), pins("constraints-dev.txt")
    assert set(named) <= set(runtime)
    assert {*named, *extra} <= set(dev)
    assert {name: dev[name] for name in runtime} == runtime, "one environment holds both, so they must agree"


def pins(name: str) -> dict[str, str]:
    """Read a pin file: distribution, version; every pin must carry a SHA-256."""
    found: dict[str, str] = {}
    for block in re.split(r"\n(?=[a-z])", (ROOT / name).read_text("utf-8").replace("\\\n", " ")):
        pin = re.match(r"(?:#.*\n)*([a-z0-9-]+)==([^\s;]+)", block)
        if pin:
            assert "--hash=sha256:" in block, block
            found[pin.group(1)] = pin.group(2)
    return found
