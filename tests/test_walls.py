"""The walls between rooms: they stand, and each of them can fall.

For every contract in pyproject.toml one forbidden import is planted in a copy of the tree; exactly that contract must
break then. A contract without a plant here fails the test, so none can be added that never could fail.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CONTRACTS = {item["id"]: item["name"] for item in SETTINGS["tool"]["importlinter"]["contracts"]}
SOURCE_ROOTS = SETTINGS["tool"]["hatch"]["build"]["dev-mode-dirs"]

# contract: (package that gets a new module, what that module imports)
PLANTS = {
    "model-knows-no-room": ("model/omnibachi_model", "omnibachi_ledger"),
    "compiler-knows-the-model": ("compiler/omnibachi_compiler", "omnibachi_runtime"),
    "runtime-knows-the-model": ("runtime/omnibachi_runtime", "omnibachi_ledger"),
    "capabilities-knows-the-model": ("capabilities/omnibachi_capabilities", "omnibachi_ledger"),
    "ledger-knows-the-model": ("ledger/omnibachi_ledger", "omnibachi_runtime"),
    "observer-knows-the-model": ("observer/omnibachi_observer", "omnibachi_audit"),
    "audit-knows-the-model": ("audit/omnibachi_audit", "omnibachi_observer"),
    "policy-knows-the-model": ("policy/omnibachi_policy", "omnibachi_ledger"),
    "transport-knows-the-model": ("transport/omnibachi_transport", "omnibachi_ledger"),
    "wiring-joins": ("cli/omnibachi", "omnibachi_compiler"),
    "model-third-parties": ("model/omnibachi_model", "yaml"),
    "compiler-third-parties": ("compiler/omnibachi_compiler", "rich"),
    "runtime-third-parties": ("runtime/omnibachi_runtime", "networkx"),
    "capabilities-third-parties": ("capabilities/omnibachi_capabilities", "yaml"),
    "ledger-third-parties": ("ledger/omnibachi_ledger", "click"),
    "observer-third-parties": ("observer/omnibachi_observer", "yaml"),
    "audit-third-parties": ("audit/omnibachi_audit", "jsonschema"),
    "policy-third-parties": ("policy/omnibachi_policy", "yaml"),
    "transport-third-parties": ("transport/omnibachi_transport", "click"),
    "servers-in-transport": ("observer/omnibachi_observer", "starlette"),
    "cli-third-parties": ("cli/omnibachi", "yaml"),
    "curves-in-capabilities": ("audit/omnibachi_audit", "eth_keys"),
    "ledger-keeps-the-database": ("capabilities/omnibachi_capabilities", "sqlite3"),
    "runtime-is-closed": ("runtime/omnibachi_runtime", "random"),
    "capabilities-reach-nothing": ("capabilities/omnibachi_capabilities", "secrets"),
    "deciding-needs-no-outside": ("audit/omnibachi_audit", "urllib.request"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, copy_of_checkout: Callable[[Path], Path]) -> Path:
    return copy_of_checkout(tmp_path_factory.mktemp("walls"))


def broken(tree: Path) -> list[str]:
    """Run lint-imports on a tree; return the ids of the contracts that do not hold."""
    found = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=tree, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / root) for root in SOURCE_ROOTS), "COLUMNS": "300",
             "NO_COLOR": "1"},
    )  # fmt: skip
    states = dict(re.findall(r"^(.+) (KEPT|BROKEN)(?: .*)?$", found.stdout, re.MULTILINE))
    assert set(states) == set(CONTRACTS.values()), found.stdout + found.stderr
    down = [name for name, state in states.items() if state == "BROKEN"]
    assert (found.returncode == 0) == (not down)
    return [key for key, name in CONTRACTS.items() if name in down]


def test_every_contract_has_a_plant() -> None:
    assert set(PLANTS) == set(CONTRACTS)


def test_the_walls_stand(copy: Path) -> None:
    assert broken(copy) == []


@pytest.mark.parametrize("contract", sorted(PLANTS))
def test_a_planted_import_breaks_exactly_its_wall(contract: str, copy: Path) -> None:
    package, imported = PLANTS[contract]
    planted = copy / package / "planted.py"
    planted.write_text(f"def late():\n    import {imported}\n    return {imported}\n")
    try:
        assert broken(copy) == [contract]
    finally:
        planted.unlink()


def test_wiring_may_join(copy: Path) -> None:
    wiring = copy / "cli/omnibachi/wiring.py"
    before = wiring.read_bytes() if wiring.exists() else None
    wiring.write_bytes((before or b"") + b"\nimport omnibachi_compiler, omnibachi_runtime, omnibachi_audit\n")
    try:
        assert broken(copy) == []
    finally:
        wiring.write_bytes(before) if before is not None else wiring.unlink()


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]


def test_no_room_imports_a_third_party_that_no_contract_knows() -> None:
    """The contracts forbid by name; this holds the rest of the world out."""
    named = {
        "orjson", "yaml", "networkx", "jsonschema", "jsonschema_rs", "graphviz", "graphviz_pure", "jsonpath_ng",
        "click", "rich", "pygls", "lsprotocol", "cryptography", "psycopg",
        "Crypto", "eth_account", "eth_keys", "eth_utils", "mnemonic", "rlp", "starlette", "uvicorn", "h11", "httpx2",
    }  # fmt: skip
    ours = {path.parent.name for root in SOURCE_ROOTS for path in (ROOT / root).glob("*/__init__.py")}
    strange = {
        f"{path.relative_to(ROOT)}: {name}"
        for root in SOURCE_ROOTS
        for path in (ROOT / root).rglob("*.py")
        for name in imports(ast.parse(path.read_bytes()))
        if name not in sys.stdlib_module_names | named | ours
    }
    assert strange == set()
