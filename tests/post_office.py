"""A small workspace that is compiled for real: one workflow with every kind of node, and a transform of its own.

It brings its own little `std`, so that its snapshot is small enough to be walked byte by byte. `to` steers the
transform: it can raise, answer what it does not declare, and give an output that does not fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnibachi import Workspace

ROOT = Path(__file__).resolve().parent.parent
WF = "post::WF_SEND_V0"
LABEL = "post::CT_LABEL_V0"
STORE = "post::ST_PARCELS_V0"
SNAPSHOT = "protocol_snapshot"
PARCEL: dict[str, Any] = {"to": "Rome", "weight": 7, "limit": 30}
SEND = """\
workflow: WF_SEND_V0
summary: Send a parcel once.
intent: IN_SEND_V0
start: label
fault: failed
nodes:
  label:
    use: CT_LABEL_V0
    with: {to: $.payload.to}
    next: {SUCCESS: allowed, NO_SUCH_PLACE: failed}
  allowed:
    decide:
      - {when: "weight <= limit", outcome: YES}
      - {outcome: NO, because: the parcel is too heavy}
    with: {weight: $.payload.weight, limit: $.payload.limit}
    next: {YES: price, NO: refused}
  price:
    compute: {cents: "weight * 300 / parts"}
    with: {weight: $.payload.weight, parts: $.payload.parts}
    next: {SUCCESS: now}
  now:
    use: CS_CLOCK_V0.NOW
    next: {SUCCESS: keep}
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_PARCELS_V0
    with: {key: $.nodes.label.code, value: {to: $.payload.to, cents: $.nodes.price.cents, at: $.nodes.now.at}}
    next: {SUCCESS: sent, ALREADY_EXISTS: known}
exits:
  sent: {status: COMPLETED, result: {code: $.nodes.label.code, cents: $.nodes.price.cents}}
  known: {status: COMPLETED, result: {at: $.nodes.keep.value.at}}
  refused: {status: DENIED, result: {because: $.nodes.allowed.because}}
  failed: {status: FAILED}
---
intent: IN_SEND_V0
summary: A parcel is to be sent.
payload:
  type: object
  properties:
    to: {type: string, maxLength: 40}
    weight: {type: integer, minimum: 1, maximum: 1000}
    limit: {type: integer}
    parts: {type: integer, default: 1}
  required: [to, weight]
  additionalProperties: false
---
transform: CT_LABEL_V0
summary: Make a parcel's label.
inputs: {to: {type: string, maxLength: 20}}
outcomes: {SUCCESS: {code: {type: string}}, NO_SUCH_PLACE: {}}
---
store: ST_PARCELS_V0
summary: The parcels that were sent.
governed_by: CS_REGISTRY_V0
record:
  type: object
  properties: {to: {type: string}, cents: {type: integer}, at: {type: string}}
  required: [to, cents, at]
  additionalProperties: false
"""
LABELS = '''\
"""Labels of parcels."""

ODD = {"other": ("SOMEWHERE", {}), "misfit": ("SUCCESS", {"code": 1})}

def label(inputs):
    to = inputs["to"]
    if to == "raise":
        raise LookupError(to)
    if to in ODD:
        return ODD[to]
    if to == "nowhere":
        return "NO_SUCH_PLACE", {}
    return "SUCCESS", {"code": "P-" + to.upper()}
'''


def build(root: Path) -> Workspace:
    """Write the workspace into an empty folder, compile it, and return it."""
    files = {
        "protocols/post/domain.yaml": "domain: post\nsummary: Parcels.\n",
        "protocols/post/send.yaml": SEND,
        "capabilities/post_office/__init__.py": "",
        "capabilities/post_office/labels.py": LABELS,
        "capabilities/post_office/catalogue.py": f'from .labels import label\n\nCATALOGUE = {{"{LABEL}": label}}\n',
    }
    for name in ("domain", "registry", "clock"):
        files[f"protocols/std/{name}.yaml"] = (ROOT / f"protocols/std/{name}.yaml").read_text("utf-8")
    for place, text in files.items():
        write(root, place, text)
    return compiled(root)


def write(root: Path, place: str, text: str) -> None:
    """Write one file below a folder."""
    path = root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def edit(root: Path, place: str, old: str, new: str) -> None:
    """Replace a text that stands once in a file."""
    text = (root / place).read_text("utf-8")
    assert text.count(old) == 1, (place, old)
    write(root, place, text.replace(old, new))


def compiled(root: Path) -> Workspace:
    """Compile a workspace and return it."""
    workspace = Workspace(root)
    found = workspace.compile()
    assert found.ok, found.diagnostics
    return workspace


def sealed_files(root: Path) -> dict[str, bytes]:
    """Return every file of a workspace's snapshot by its relative name."""
    base = root / SNAPSHOT
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in base.rglob("*") if path.is_file()}
