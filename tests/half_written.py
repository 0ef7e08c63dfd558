"""Texts that are asked about as an editor does, and the workspaces that they stand in."""

from __future__ import annotations

from pathlib import Path

from omnibachi_compiler.compile import Compilation, compile_sources
from omnibachi_compiler.editing.rename import Edit
from omnibachi_compiler.phase import Source

ROOT = Path(__file__).resolve().parent.parent
PRELUDE = Path(__file__).parent / "cases" / "prelude"
PATH = "protocols/shop/new.yaml"
BEGUN = """\
workflow: WF_NEW_V0
summary: New.
intent: IN_ORDER_V0
start: price
fault: failed
nodes:
  price: {use: CT_PRICE_V0, with: {item: $.payload.item, quantity: 1}, next: {SUCCESS: look, UNKNOWN: failed}}
  look: {use: CS_REGISTRY_V0.RESOLVE, store: ST_ORDERS_V0, with: {key: a}, next: {SUCCESS: total, NOT_FOUND: total}}
  total:
    compute: {sum: "a + 1"}
    with: {a: $.nodes.price.cents}
    next: {SUCCESS: done}
exits:
  done: {status: COMPLETED, result: {sum: $.nodes.total.sum}}
  failed: {status: FAILED}
"""


CONTRACT = """\
contract: CC_LOOK_V0
summary: Look an order up.
inputs: {key: {type: string}, keys: {type: array, maxItems: 3, items: {type: string}}}
start: all
nodes:
  all:
    each: $.inputs.keys
    as: one
    max: 3
    use: CS_REGISTRY_V0.RESOLVE
    store: ST_ORDERS_V0
    with: {key: $.each.one}
    next: {SUCCESS: FOUND, PARTIAL: FOUND, FAILED: NONE}
outcomes:
  FOUND: {items: $.nodes.all.items}
  NONE: {}
"""


CALLER = BEGUN.replace(
    "CS_REGISTRY_V0.RESOLVE, store: ST_ORDERS_V0, with: {key: a}", "CC_LOOK_V0, with: {key: a, keys: []}"
)
CALLER = CALLER.replace("{SUCCESS: total, NOT_FOUND: total}", "{FOUND: total, NONE: total}")


def compiled_with(files: dict[str, str]) -> Compilation:
    """Compile texts beside the prelude's and the shipped library, without any function behind a capability."""
    base = (PRELUDE / "protocols/shop/base.yaml").read_text("utf-8")
    sources = [
        Source(path, "shop", text.encode()) for path, text in {**files, BASE: base, DOMAIN: "domain: shop"}.items()
    ]
    sources += [Source(f"protocols/std/{path.name}", "std", path.read_bytes()) for path in STD]
    return compile_sources(sources, {}, {}, str)


BASE, DOMAIN = "protocols/shop/base.yaml", "protocols/shop/domain.yaml"
STD = sorted((ROOT / "protocols" / "std").glob("*.yaml"))


def done(text: str, edits: list[Edit]) -> str:
    for edit in sorted(edits, key=lambda item: item.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text
