"""Same sources, same bytes: what may change around a workspace without changing its seal, and what a seal rests on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from omnibachi import Workspace
from omnibachi.compiling import compile_workspace, is_current
from omnibachi_model.digests import digest
from omnibachi_model.sealed import MANIFEST, SEAL, VERSIONS

ROOT = Path(__file__).resolve().parent.parent
PRELUDE = Path(__file__).parent / "cases" / "prelude"

ORDER = """\
workflow: WF_ORDER_V0
summary: Price an order and file it.
intent: IN_ORDER_V0
start: price
fault: failed
nodes:
  price:
    use: CT_PRICE_V0
    with: {item: $.payload.item, quantity: $.payload.quantity}
    next: {SUCCESS: size, UNKNOWN: unknown_item}
  size:
    decide:
      - {when: "cents > 1000", outcome: LARGE, because: it costs more than ten}
      - {outcome: SMALL}
    with: {cents: $.nodes.price.cents}
    next: {LARGE: file, SMALL: file}
  file:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_ORDERS_V0
    with: {key: $.payload.item, value: {item: $.payload.item, cents: $.nodes.price.cents}}
    next: {SUCCESS: ordered, ALREADY_EXISTS: ordered}
exits:
  ordered: {status: COMPLETED, result: {cents: $.nodes.price.cents}}
  unknown_item: {status: REJECTED}
  failed: {status: FAILED}
"""

# The same graph: other layout, comments, quotes, and another order of everything whose order means nothing.
ORDER_AGAIN = """\
# An order.
---
workflow: WF_ORDER_V0
start: "price"
intent: shop::IN_ORDER_V0
fault: 'failed'
exits:
  failed:
    status: FAILED
  unknown_item:
    status: REJECTED
  ordered:
    result:
      cents: "$['nodes']['price'].cents"   # the same path
    status: COMPLETED
nodes:

  file:
    next:
      ALREADY_EXISTS: ordered
      SUCCESS: ordered
    store: ST_ORDERS_V0
    with:
      value:
        cents: $.nodes.price.cents
        item: $.payload.item
      key: $.payload.item
    use: std::CS_REGISTRY_V0.REGISTER

  size:
    with: {cents: $.nodes.price.cents}
    decide:
      - outcome: LARGE
        because: >-
          it costs
          more than ten
        when: (cents)>1000
      - outcome: SMALL
    next: {SMALL: file, LARGE: file}

  price:
    next: {UNKNOWN: unknown_item, SUCCESS: size}
    with: {quantity: $.payload.quantity, item: $.payload.item}
    use: CT_PRICE_V0
summary: Price an order and file it.
"""

COMPILE = """
import json, sys
from omnibachi.compiling import compile_workspace
from omnibachi_model.digests import digest
found = compile_workspace(sys.argv[1], shipped=sys.argv[2])
assert found.sealed is not None, found.diagnostics
files = {name: digest(data) for name, data in found.sealed.files.items() if name != "versions.json"}
print(json.dumps([found.sealed.seal, sorted(files.items())]))
"""

PLACES = (
    {"PYTHONHASHSEED": "0", "LC_ALL": "C", "TZ": "UTC"},
    {"PYTHONHASHSEED": "4242", "LC_ALL": "C.UTF-8", "TZ": "Asia/Kolkata", "PYTHONUTF8": "1"},
    {"PYTHONHASHSEED": "99", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "TZ": "America/St_Johns"},
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace with one workflow."""
    folder = tmp_path / "shop"
    shutil.copytree(PRELUDE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "protocols/shop/order.yaml").write_text(ORDER)
    return folder


def _sealed(root: Path) -> tuple[str, dict[str, bytes]]:
    found = compile_workspace(str(root), shipped=str(ROOT))
    assert found.sealed is not None, found.diagnostics
    return found.sealed.seal, dict(found.sealed.files)


def _manifest(files: dict[str, bytes]) -> dict[str, dict[str, object]]:
    manifest: dict[str, dict[str, object]] = json.loads(files[MANIFEST])
    return manifest


def _on_disk(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _compiled_elsewhere(root: Path, around: dict[str, str], cwd: Path) -> object:
    kept = {key: value for key, value in os.environ.items() if key not in ("LANG", "LC_ALL", "PYTHONUTF8", "TZ")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", COMPILE, os.path.relpath(root, cwd), str(ROOT)],
        env={**kept, **around}, cwd=cwd, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_folder_hash_seed_locale_and_time_zone_do_not_change_the_seal(shop: Path, tmp_path: Path) -> None:
    """The copy lies deeper, under a name with spaces, and its files were written in another order."""
    copy = tmp_path / "an other" / "place" / "für"
    for name, data in reversed(_on_disk(shop).items()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(data)
        os.utime(copy / name, (1, 1))
    found = [
        _compiled_elsewhere(root, around, cwd)
        for (root, cwd), around in zip(((shop, tmp_path), (copy, copy), (copy, Path("/"))), PLACES, strict=True)
    ]
    assert found[0] == found[1] == found[2]


def test_the_shipped_workspace_has_one_seal_in_two_places(tmp_path: Path) -> None:
    for folder in ("protocols", "capabilities"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    here, there = (_compiled_elsewhere(root, PLACES[1], root) for root in (ROOT, tmp_path))
    assert here == there


def test_layout_comments_and_order_do_not_change_a_workflow(shop: Path) -> None:
    """Its digest is the same; the manifest, which lists the digests of the sources, is another."""
    seal, files = _sealed(shop)
    (shop / "protocols/shop/order.yaml").write_text(ORDER_AGAIN)
    other_seal, other_files = _sealed(shop)
    name = "shop/WF_ORDER_V0.json"
    assert json.loads(files[name]) == json.loads(other_files[name])
    assert files[name] == other_files[name]
    before, after = _manifest(files), _manifest(other_files)
    source = "protocols/shop/order.yaml"
    assert before["sources"][source] != after["sources"][source]
    assert {**before, "sources": 0, "workflows": 0} == {**after, "sources": 0, "workflows": 0}
    assert seal != other_seal


def test_what_a_workflow_says_changes_its_digest(shop: Path) -> None:
    """Each change of meaning, however small, is another workflow."""
    seen = {_sealed(shop)[1]["shop/WF_ORDER_V0.json"]}
    changes = (
        ("cents > 1000", "cents > 1001"),
        ("it costs more", "it costs much more"),
        ("ALREADY_EXISTS: ordered", "ALREADY_EXISTS: failed"),
        ("result: {cents: $.nodes.price.cents}", "result: {price: $.nodes.price.cents}"),
        ("unknown_item: {status: REJECTED}", "unknown_item: {status: DENIED}"),
        ("key: $.payload.item,", "key: apple,"),
    )
    for before, after in changes:
        text = ORDER.replace(before, after)
        assert text != ORDER
        (shop / "protocols/shop/order.yaml").write_text(text)
        seen.add(_sealed(shop)[1]["shop/WF_ORDER_V0.json"])
    assert len(seen) == len(changes) + 1


def test_a_summary_is_not_part_of_a_workflow(shop: Path) -> None:
    before = _sealed(shop)[1]
    (shop / "protocols/shop/order.yaml").write_text(ORDER.replace("Price an order", "Tell the price of an order"))
    after = _sealed(shop)[1]
    name = "shop/WF_ORDER_V0"
    assert before[f"{name}.json"] == after[f"{name}.json"]
    assert before[f"{name}.origins.json"] != after[f"{name}.origins.json"]


def test_a_changed_capability_changes_only_the_locks_that_it_reaches(shop: Path) -> None:
    before = _manifest(_sealed(shop)[1])
    module = shop / "capabilities/shop/prices.py"
    module.write_text(module.read_text().replace("30 *", "31 *"))
    after = _manifest(_sealed(shop)[1])
    changed = {name for name in before["capabilities"] if before["capabilities"][name] != after["capabilities"][name]}
    assert changed == {"shop::CT_PRICE_V0"}
    assert before["workflows"] == after["workflows"]


def test_scenarios_are_no_part_of_the_snapshot(shop: Path) -> None:
    before = _sealed(shop)
    (shop / "protocols/shop/order.test.yaml").write_text(
        "test: an apple\nworkflow: WF_ORDER_V0\nsteps: [{payload: {item: apple, quantity: 1}}]\n"
    )
    assert _sealed(shop) == before


def test_the_manifest_lists_everything_and_its_digest_is_the_seal(shop: Path) -> None:
    seal, files = _sealed(shop)
    manifest = _manifest(files)
    assert seal == digest(files[MANIFEST])
    assert files[SEAL] == seal.encode() + b"\n"
    listed = {entry["file"]: entry["sha256"] for entry in manifest["domains"].values()}  # type: ignore[index]
    for entry in manifest["workflows"].values():
        listed[entry["file"]] = entry["sha256"]  # type: ignore[index]
        listed[entry["origins"]] = entry["origins_sha256"]  # type: ignore[index]
    assert listed == {name: digest(data) for name, data in files.items() if name not in (MANIFEST, SEAL, VERSIONS)}
    own = sorted((shop / "protocols/shop").iterdir())
    assert [item.name for item in own] == ["base.yaml", "domain.yaml", "locks.yaml", "order.yaml"]
    sources = {f"protocols/shop/{item.name}": digest(item.read_bytes()) for item in own}
    assert sources == {name: found for name, found in manifest["sources"].items() if "/shop/" in name}


def test_the_shipped_snapshot_is_what_its_sources_compile_to() -> None:
    """Rewrite it with `omnibachi compile`."""
    seal, files = _sealed(ROOT)
    shipped = _on_disk(ROOT / "protocol_snapshot")
    assert shipped.keys() == files.keys()
    assert [name for name in files if name != VERSIONS and files[name] != shipped[name]] == []
    assert is_current(str(ROOT), files)
    assert shipped[SEAL].decode().strip() == seal


def test_a_snapshot_that_is_not_current_is_told(shop: Path) -> None:
    compiled = Workspace(shop).compile()
    assert compiled.ok
    files = _sealed(shop)[1]
    snapshot = shop / "protocol_snapshot"
    assert is_current(str(shop), files)
    (snapshot / VERSIONS).write_text("{}")
    assert is_current(str(shop), files)
    (snapshot / "extra.json").write_text("{}")
    assert not is_current(str(shop), files)
    (snapshot / "extra.json").unlink()
    (snapshot / "shop/WF_ORDER_V0.json").unlink()
    assert not is_current(str(shop), files)
    Workspace(shop).compile()
    assert is_current(str(shop), files)
    (shop / "protocols/shop/order.yaml").write_text(ORDER.replace("1000", "1001"))
    assert not is_current(str(shop), _sealed(shop)[1])


@pytest.mark.parametrize("breakage", ["nodes: [", "summary: 3", "start: nowhere", "\ufeff"])
def test_nothing_is_written_when_something_is_wrong(shop: Path, breakage: str) -> None:
    """The old snapshot stays, byte for byte, and nothing is left beside it."""
    workspace = Workspace(shop)
    assert workspace.compile().written
    before = _on_disk(shop)
    key = breakage.partition(":")[0]
    lines = [breakage if line.startswith(f"{key}:") else line for line in ORDER.splitlines()]
    text = "\n".join(lines) if key in ORDER else breakage + ORDER
    (shop / "protocols/shop/order.yaml").write_text(text)
    compiled = workspace.compile()
    assert not compiled.ok and not compiled.written
    assert compiled.seal is None
    assert any(item.severity == "error" for item in compiled.diagnostics)
    after = _on_disk(shop)
    assert {**after, "protocols/shop/order.yaml": b""} == {**before, "protocols/shop/order.yaml": b""}


def test_a_first_compile_that_fails_leaves_no_folder(shop: Path) -> None:
    (shop / "protocols/shop/order.yaml").write_text(ORDER.replace("start: price", "start: prize"))
    before = set(shop.rglob("*"))
    assert not Workspace(shop).compile().ok
    assert set(shop.rglob("*")) == before


def test_compiling_without_writing_writes_nothing(shop: Path) -> None:
    compiled = Workspace(shop).compile(write=False)
    assert compiled.ok and not compiled.written
    assert not (shop / "protocol_snapshot").exists()
