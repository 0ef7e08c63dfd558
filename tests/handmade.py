"""Sealed workflows written by hand and linked, so that the runtime is tested without the compiler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from omnibachi_model.digests import digest, encode, pretty
from omnibachi_model.formats import write_time
from omnibachi_runtime.link import Program, link
from omnibachi_runtime.walk import Start, Walk, walk

EPOCH_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
OPENING = b'"capabilities":{},"host":"here","origin":"unpinned","program":"test","seal":"none"'
TEXT = {"type": "string"}
OPEN: dict[str, Any] = {}


def record_of(required: Mapping[str, Any] = {}, optional: Mapping[str, Any] = {}) -> dict[str, Any]:
    """Return a closed object schema."""
    return {
        "type": "object", "properties": {**required, **optional}, "required": sorted(required),
        "additionalProperties": False,
    }  # fmt: skip


def call(name: str, use: str, inputs: Mapping[str, Any], outcomes: Mapping[str, Any], next: Mapping[str, int],
         effect: str = "PURE", **more: Any) -> dict[str, Any]:  # fmt: skip
    """Return a CALL node."""
    return {
        "kind": "CALL", "name": name, "use": use, "effect": effect, "store": None, "event": None,
        "with": ["map", dict(inputs)], "check": None, "outcomes": dict(outcomes), "next": dict(next), **more,
    }  # fmt: skip


def leave(name: str, status: str, result: Any = None, next: Mapping[str, int] | None = None) -> dict[str, Any]:
    """Return an EXIT."""
    return {"kind": "EXIT", "name": name, "status": status, "result": result or ["map", {}], "next": dict(next or {})}


def workflow(nodes: list[dict[str, Any]], payload: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return a sealed workflow that starts at its first node."""
    return {
        "format": "omnibachi.workflow/1", "address": "shop::WF_TEST_V0", "intent": "shop::IN_TEST_V0",
        "payload": payload or {"type": "object"}, "run": [],
        "journal": any(node.get("effect", "PURE") != "PURE" for node in nodes),
        "capabilities": sorted({node["use"] for node in nodes if "use" in node}),
        "stores": {node["store"]: {"keeps": "registry"} for node in nodes if node.get("store")},
        "events": {}, "start": 0, "nodes": nodes, **more,
    }  # fmt: skip


class Ticking:
    """A clock that moves on by one millisecond each time that it is read."""

    def __init__(self, now_ns: int = EPOCH_NS) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        self.now += 1_000_000
        return self.now


class Counting:
    """Entropy that is none: each draw counts one further."""

    def __init__(self) -> None:
        self.drawn = 0

    def draw(self, count: int) -> bytes:
        self.drawn += 1
        return self.drawn.to_bytes(count, "big")


def linked(sealed: dict[str, Any], functions: Mapping[str, Callable[..., Any]]) -> Program:
    """Link a sealed workflow."""
    data = encode(sealed)
    return link(orjson.loads(data), digest(data), data, functions)


def start(journal: Any = None, run_id: str = "T1", actor: str | None = None) -> Start:
    """Return what a test's run begins with."""
    clock = Ticking()
    now = clock.now_ns()
    return Start(run_id, now, write_time(now), actor, OPENING, clock, Counting(), journal)


def run(program: Program, payload: dict[str, Any], journal: Any = None, **more: Any) -> Walk:
    """Walk a program with a payload."""
    return walk(program, start(journal, **more), program.gate(payload))


def bodies(ended: Walk) -> list[dict[str, Any]]:
    """Return the parsed bodies of a walk's events."""
    return [orjson.loads(body) for _, body, _ in ended.events]


def observed(ended: Walk) -> list[dict[str, Any]]:
    """Return the parsed obs of a walk's events."""
    return [orjson.loads(obs) for _, _, obs in ended.events]


def lay(
    root: Path,
    workflows: list[dict[str, Any]],
    implementations: Mapping[str, str],
    modules: Mapping[str, str],
    domain: Mapping[str, Any] | None = None,
) -> str:
    """Seal workflows by hand into `root/protocol_snapshot`, with capabilities in `root/capabilities`; return the seal.

    `implementations` are by address, `modules` source texts by dotted name (a package's name gives its `__init__`).
    """
    base = root / "capabilities"
    packages = {name.partition(".")[0] for name in modules}
    texts = {**dict.fromkeys(packages, ""), **modules}
    for name, text in texts.items():
        path = base.joinpath(*name.split("."))
        path = path / "__init__.py" if name in packages else path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    locks = {}
    for address, implementation in implementations.items():
        module = implementation.partition(":")[0]
        own = {name: digest(texts[name].encode()) for name in (module.partition(".")[0], module) if name in texts}
        if not own:
            own = {module: digest(Path(str(find_spec(module).origin)).read_bytes())}  # type: ignore[union-attr]
        locks[address] = {"signature": "", "implementation": implementation, "modules": own}
    files = {f"{item['address'].replace('::', '/')}.json": (item, pretty(item)) for item in workflows}
    entries = {
        item["address"]: {"file": name, "sha256": digest(data), "origins": "", "origins_sha256": ""}
        for name, (item, data) in files.items()
    }
    written = {name: data for name, (_, data) in files.items()}
    domains = {}
    if domain is not None:
        written["shop/domain.json"] = pretty({"format": "omnibachi.domain/1", "domain": "shop", "events": {},
                                              "stores": {}, "transforms": {}, "operations": {}, **domain})  # fmt: skip
        domains["shop"] = {"file": "shop/domain.json", "sha256": digest(written["shop/domain.json"])}
    manifest = pretty({
        "format": "omnibachi.snapshot/1", "capabilities": locks, "domains": domains, "events": {}, "intents": {},
        "contracts": {}, "stores": {}, "laws": {}, "sources": {}, "workflows": entries,
    })  # fmt: skip
    written |= {"manifest.json": manifest, "manifest.sha256": digest(manifest).encode() + b"\n"}
    for name, data in written.items():
        place = root / "protocol_snapshot" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return digest(manifest)
