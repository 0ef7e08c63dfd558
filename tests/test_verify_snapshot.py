"""Verification of snapshots: every digest that a manifest lists is recomputed, and every change is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnibachi_audit.snapshots import verify_snapshot
from omnibachi_model.digests import decode, digest, encode, pretty
from sealed_runs import SEAL

MODULES = {"shop.catalogue": b"CATALOGUE = {}\n", "shop": b""}


def lock(signature: Any, function: str) -> dict[str, Any]:
    modules = {name: digest(data) for name, data in MODULES.items()}
    return {"signature": digest(encode(signature)), "implementation": f"shop.catalogue:{function}", "modules": modules}


def snapshot() -> dict[str, bytes]:
    """Return a small snapshot whose every digest holds."""
    text = {"type": "string"}
    signature = {"inputs": text, "outcomes": {"SUCCESS": text}}
    operation = {**signature, "effect": "READ", "needs": []}
    domain = {
        "format": "omnibachi.domain/1", "domain": "shop", "hosts": [], "summaries": {},
        "intents": {"shop::IN_A_V0": text},
        "events": {}, "stores": {}, "transforms": {"shop::CT_A_V0": signature},
        "operations": {"shop::CS_A_V0.GO": operation},
    }  # fmt: skip
    workflow = {
        "format": "omnibachi.workflow/1", "address": "shop::WF_A_V0",
        "capabilities": ["shop::CS_A_V0.GO", "shop::CT_A_V0"], "nodes": [],
    }  # fmt: skip
    origins = {"format": "omnibachi.origins/1", "workflow": "shop::WF_A_V0"}
    files = {
        "shop/domain.json": pretty(domain),
        "shop/WF_A_V0.json": pretty(workflow),
        "shop/WF_A_V0.origins.json": pretty(origins),
    }
    manifest = {
        "format": "omnibachi.snapshot/1", "contracts": {}, "events": {}, "stores": {}, "laws": {}, "sources": {},
        "intents": {"shop::IN_A_V0": digest(encode(text))},
        "capabilities": {
            "shop::CT_A_V0": lock(signature, "a"),
            "shop::CS_A_V0.GO": lock(operation, "go"),
        },
        "domains": {"shop": {"file": "shop/domain.json", "sha256": digest(files["shop/domain.json"])}},
        "workflows": {"shop::WF_A_V0": {
            "file": "shop/WF_A_V0.json", "sha256": digest(files["shop/WF_A_V0.json"]),
            "origins": "shop/WF_A_V0.origins.json", "origins_sha256": digest(files["shop/WF_A_V0.origins.json"]),
        }},
    }  # fmt: skip
    return with_seal({**files, "versions.json": b"{}\n"}, manifest)


def with_seal(files: dict[str, bytes], manifest: dict[str, Any]) -> dict[str, bytes]:
    data = pretty(manifest)
    return {**files, "manifest.json": data, "manifest.sha256": digest(data).encode() + b"\n"}


def findings(files: dict[str, bytes], modules: dict[str, bytes] | None = None) -> list[str]:
    found = verify_snapshot(files.get, files, (MODULES if modules is None else modules).get)
    return [f"{item.code} {item.message}" for item in found]


def test_a_whole_snapshot_has_no_findings() -> None:
    assert findings(snapshot()) == []


def test_every_flipped_byte_of_a_snapshot_is_found() -> None:
    files = snapshot()
    for name, data in files.items():
        for place in range(len(data)):
            changed = bytearray(data)
            changed[place] ^= 0x01
            found = findings({**files, name: bytes(changed)})
            if name == "versions.json":
                assert found == []
            else:
                assert found and any(name in item or "manifest" in item for item in found), (name, place)


def test_a_missing_file_is_named() -> None:
    files = snapshot()
    for name in files.keys() - {"manifest.json", "versions.json"}:
        left = {other: data for other, data in files.items() if other != name}
        assert findings(left) == [f"OB602 `{name}` is missing"]
    assert findings({}) == ["OB601 there is no sealed snapshot here"]


def test_an_extra_file_is_named() -> None:
    assert findings({**snapshot(), "shop/more.json": b"{}"}) == [
        "OB610 `shop/more.json` lies in the snapshot, and the manifest does not list it"
    ]


def test_changed_and_missing_capabilities_are_named() -> None:
    changed = findings(snapshot(), {**MODULES, "shop": b"# changed\n"})
    assert [item.split(" ")[0] for item in changed] == ["OB604", "OB604"]
    assert "the source of `shop`, which `shop::CS_A_V0.GO` relies on, is not what was sealed" in changed[0]
    missing = findings(snapshot(), {"shop": b""})
    assert [item.split(" ")[0] for item in missing] == ["OB605", "OB605"]


def resealed(change: Callable[[dict[str, Any]], Any]) -> dict[str, bytes]:
    """Change the manifest and seal it anew: the seal agrees, and what the manifest says must still hold."""
    files = snapshot()
    manifest = decode(files["manifest.json"])
    change(manifest)
    return with_seal(files, manifest)


RESEALED: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "intent's digest": ("OB602", lambda m: m["intents"].update({"shop::IN_A_V0": SEAL})),
    "intent left out": ("OB602", lambda m: m["intents"].clear()),
    "intent of no domain": ("OB602", lambda m: m["intents"].update({"void::IN_A_V0": SEAL})),
    "signature": ("OB602", lambda m: m["capabilities"]["shop::CT_A_V0"].update(signature=SEAL)),
    "lock left out": ("OB605", lambda m: m["capabilities"].pop("shop::CT_A_V0")),
    "lock without modules": ("OB608", lambda m: m["capabilities"]["shop::CT_A_V0"].update(modules={})),
    "lock no object": ("OB608", lambda m: m["capabilities"].update({"shop::CT_A_V0": 1})),
    "workflow under another name": (
        "OB602",
        lambda m: m["workflows"].update({"shop::WF_B_V0": m["workflows"].pop("shop::WF_A_V0")}),
    ),
    "domain under another name": ("OB602", lambda m: m["domains"].update(mall=m["domains"].pop("shop"))),
    "entry without a file": ("OB608", lambda m: m["domains"].update(mall={})),
    "section missing": ("OB608", lambda m: m.pop("stores")),
    "section of another type": ("OB608", lambda m: m.update(stores=[])),
    "unknown format": ("OB603", lambda m: m.update(format="omnibachi.snapshot/9")),
    "no format": ("OB608", lambda m: m.pop("format")),
}


@pytest.mark.parametrize("name", RESEALED)
def test_a_manifest_that_says_what_is_not_so_is_found(name: str) -> None:
    code, change = RESEALED[name]
    assert code in {item.split(" ")[0] for item in findings(resealed(change))}


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"1", b"[" * 5_000, b'{"format":"omnibachi.snapshot/1"}', b'{"a":1e400}']
)
def test_a_hostile_manifest_is_refused(data: bytes) -> None:
    files = {"manifest.json": data, "manifest.sha256": digest(data).encode() + b"\n"}
    assert {item.split(" ")[0] for item in findings(files)} & {"OB608", "OB602"}


def test_the_shipped_snapshot_holds(checkout: Path) -> None:
    root = checkout / "protocol_snapshot"
    if not (root / "manifest.json").is_file():
        pytest.skip("nothing is sealed yet")
    files = {str(path.relative_to(root).as_posix()): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def source(module: str) -> bytes | None:
        room = "policy" if module.startswith("omnibachi_policy") else "capabilities"
        place = checkout / room / module.replace(".", "/")
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if path.is_file():
                return bytes(path.read_bytes())
        return None

    assert verify_snapshot(files.get, files, source) == []
