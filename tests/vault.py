"""A workspace with secrets: a vault that is opened with words that nobody but its owner may know.

Transforms derive a seed from the words, a key from the seed, and of that an address, which is public. One of them fails
in every way there is, with the secret in its hands, where a member of the payload says so.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omnibachi import Workspace

OPEN, LOOK, DOORS_OPEN = "vault::WF_OPEN_V0", "vault::WF_LOOK_V0", "vault::WF_DOORS_V0"
WORDS = 'abandon\tability "able" zoö about_7f3a'  # has to be escaped in JSON
PASS = "pass/phrase 4242-0815-xyz"
PINS = ["pin-one-551177", "pin-two-662288"]
NOTE = {"hint": {"deep": ["nested-secret-9911"]}}
PLANTED = (WORDS, PASS, *PINS, "nested-secret-9911")
PAYLOAD: dict[str, Any] = {
    "name": "V1", "words": WORDS, "wallet": {"label": "savings", "passphrase": PASS}, "pins": PINS, "note": NOTE,
}  # fmt: skip

FUNCTIONS = '''"""Keys of the vault; nothing here is safe."""

import hashlib


def digest(*parts):
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


def seed(inputs):
    """Answer with the seed of some words."""
    words = inputs["words"]
    if inputs["fail"] == "VIOLATION":
        return "VIOLATION", {}
    if inputs["fail"] == "raise":
        raise ValueError(f"bad words: {words}")
    if inputs["fail"] == "type":
        raise type(words.replace(" ", "_"), (Exception,), {})(words)
    if inputs["fail"] == "outcome":
        return words, {}
    if inputs["fail"] == "misfit":
        return "SUCCESS", {"seed": 5, words: words}
    if inputs["fail"] == "change":
        inputs["note"][words] = words
    if inputs["fail"] == "unwritable":
        return "SUCCESS", {"seed": object(), "length": words}
    if inputs["fail"] == "none":
        return words
    return "SUCCESS", {"seed": "seed-" + digest(words, inputs["passphrase"]), "length": len(words.split())}


def key(inputs):
    """Answer with the key of a seed and its address."""
    private = "key-" + digest(inputs["seed"])
    return "SUCCESS", {"private_key": private, "address": "AD_" + digest(private)[:16]}
'''

PROTOCOL = """
intent: IN_OPEN_V0
summary: Somebody opens a vault.
payload:
  type: object
  properties:
    name: {type: string, maxLength: 40}
    words: {type: string, maxLength: 200, secret: true}
    wallet:
      type: object
      properties:
        label: {type: string, maxLength: 40}
        passphrase: {type: string, maxLength: 80, secret: true, default: ""}
      required: [label]
      additionalProperties: false
    pins: {type: array, maxItems: 5, items: {type: string, maxLength: 20, secret: true}, default: []}
    note: {secret: true, type: object, default: {}}
    fail: {type: string, maxLength: 20, default: ""}
  required: [name, words, wallet]
  additionalProperties: false
---
transform: CT_SEED_V0
summary: Derive a seed.
inputs:
  words: {type: string, secret: true}
  passphrase: {type: string, secret: true, default: ""}
  note: {type: object, default: {}}
  fail: {type: string, default: ""}
outcomes:
  SUCCESS: {seed: {type: string, maxLength: 80, secret: true}, length: {type: integer, public: true}}
  VIOLATION: {}
---
transform: CT_KEY_V0
summary: Derive a key and its address.
inputs: {seed: {type: string, secret: true}}
outcomes:
  SUCCESS: {private_key: {type: string, maxLength: 80}, address: {type: string, maxLength: 40, public: true}}
---
store: ST_VAULTS_V0
governed_by: CS_REGISTRY_V0
record:
  type: object
  properties: {address: {type: string}, length: {type: integer}}
  required: [address, length]
  additionalProperties: false
---
store: ST_LOG_V0
governed_by: CS_EVENTS_V0
---
event: EV_OPENED_V0
record:
  type: object
  properties: {vault: {type: string}, addresses: {type: array, items: {type: string}}}
  required: [vault]
  additionalProperties: false
---
contract: CC_ADDRESS_V0
summary: The address of some words.
inputs: {words: {type: string, maxLength: 200}}
start: seed
nodes:
  seed: {use: CT_SEED_V0, with: {words: $.inputs.words}, next: {SUCCESS: key, VIOLATION: POOR}}
  key: {use: CT_KEY_V0, with: {seed: $.nodes.seed.seed}, next: {SUCCESS: SUCCESS}}
outcomes:
  SUCCESS: {address: $.nodes.key.address}
  POOR: {}
---
workflow: WF_OPEN_V0
summary: Open a vault.
intent: IN_OPEN_V0
start: seed
fault: failed
nodes:
  seed:
    use: CT_SEED_V0
    with: {words: $.payload.words, passphrase: $.payload.wallet.passphrase, note: $.payload.note, fail: $.payload.fail}
    next: {SUCCESS: long, VIOLATION: refused}
  long:
    decide:
      - {when: size(seed) > 8 && size(words) < 150, outcome: GOOD}
      - {outcome: POOR, because: the words are too many}
    with: {seed: $.nodes.seed.seed, words: $.payload.words}
    next: {GOOD: mix, POOR: refused}
  mix:
    compute: {both: words + seed, label: label + '!'}
    with: {words: $.payload.words, seed: $.nodes.seed.seed, label: $.payload.wallet.label}
    next: {SUCCESS: key}
  key:
    use: CT_KEY_V0
    with: {seed: $.nodes.mix.both}
    next: {SUCCESS: keep}
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_VAULTS_V0
    with: {key: $.payload.name, value: {address: $.nodes.key.address, length: $.nodes.seed.length}}
    next: {SUCCESS: again, ALREADY_EXISTS: again}
  again: {use: CC_ADDRESS_V0, with: {words: $.payload.words}, next: {SUCCESS: tell, POOR: refused}}
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_LOG_V0
    event: EV_OPENED_V0
    with: {record: {vault: $.nodes.again.address}}
    next: {SUCCESS: pins, VIOLATION: failed}
  pins:
    each: $.payload.pins
    as: pin
    max: 5
    use: CC_ADDRESS_V0
    with: {words: $.each.pin}
    next: {SUCCESS: pinned, PARTIAL: failed, FAILED: failed}
  pinned:
    use: CS_EVENTS_V0.APPEND
    store: ST_LOG_V0
    event: EV_OPENED_V0
    with: {record: {vault: $.payload.name}}
    next: {SUCCESS: opened, VIOLATION: failed}
exits:
  opened: {status: COMPLETED, result: {address: $.nodes.key.address, label: $.nodes.mix.label}}
  refused: {status: REJECTED}
  failed: {status: FAILED}
---
workflow: WF_LOOK_V0
summary: Tell the address, and keep nothing.
intent: IN_OPEN_V0
start: go
fault: failed
nodes:
  go: {use: CC_ADDRESS_V0, with: {words: $.payload.words}, next: {SUCCESS: seen, POOR: failed}}
exits:
  seen: {status: COMPLETED, result: {address: $.nodes.go.address}}
  failed: {status: FAILED}
"""


# A door that checks, a loop that ends by a secret, and people who are asked in between.
DOORS = """
contract: CC_SHORT_V0
summary: The seed of few words.
inputs: {words: {type: string, maxLength: 60}}
start: seed
nodes:
  seed: {use: CT_SEED_V0, with: {words: $.inputs.words}, next: {SUCCESS: SUCCESS, VIOLATION: POOR}}
outcomes:
  SUCCESS: {seed: $.nodes.seed.seed, length: $.nodes.seed.length}
  POOR: {}
---
workflow: WF_DOORS_V0
summary: Go through all doors.
intent: IN_OPEN_V0
start: keep
fault: failed
nodes:
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_VAULTS_V0
    with: {key: $.payload.name, value: {address: x, length: 1}}
    next: {SUCCESS: short, ALREADY_EXISTS: short}
  short: {use: CC_SHORT_V0, with: {words: $.payload.words}, next: {SUCCESS: tell, POOR: failed, FAULT: long}}
  tell:
    use: CS_EVENTS_V0.APPEND
    store: ST_LOG_V0
    event: EV_OPENED_V0
    with: {record: {vault: $.payload.name}}
    next: {SUCCESS: again, VIOLATION: failed}
  again:
    repeat: {max: 2, until: size(seed) > 1000}
    use: CT_SEED_V0
    with: {words: $.payload.words}
    next: {SUCCESS: done, EXHAUSTED: ask, VIOLATION: failed}
  ask:
    wait: {for: approval, roles: [clerk], within: 1s}
    with: {name: $.payload.name}
    next: {APPROVED: done, REJECTED: failed, EXPIRED: key}
  key: {use: CT_KEY_V0, with: {seed: $.nodes.again.seed}, next: {SUCCESS: done}}
exits:
  done: {status: COMPLETED, result: {length: $.nodes.short.length}}
  long: {status: REJECTED}
  failed: {status: FAILED}
"""


def lay(folder: Path) -> Path:
    """Lay the workspace into a folder."""
    code = folder / "capabilities" / "vaults"
    code.mkdir(parents=True)
    (code / "__init__.py").write_text('"""Keys of the vault."""\n', "utf-8")
    (code / "keys.py").write_text(FUNCTIONS, "utf-8")
    (code / "catalogue.py").write_text(
        '"""What stands behind the addresses."""\n\nfrom .keys import key, seed\n\n'
        'CATALOGUE = {"vault::CT_SEED_V0": seed, "vault::CT_KEY_V0": key}\n', "utf-8",
    )  # fmt: skip
    protocols = folder / "protocols" / "vault"
    protocols.mkdir(parents=True)
    (protocols / "domain.yaml").write_text("domain: vault\nsummary: A vault.\n", "utf-8")
    (protocols / "vault.yaml").write_text(PROTOCOL.lstrip(), "utf-8")
    (protocols / "doors.yaml").write_text(DOORS.lstrip(), "utf-8")
    return folder


def compiled(folder: Path) -> Workspace:
    """Lay the workspace into a folder and compile it."""
    workspace = Workspace(lay(folder))
    made = workspace.compile()
    assert made.ok, made.diagnostics
    return workspace


def encodings(secret: str) -> Iterator[bytes]:
    """Yield a text in the forms in which it might be written somewhere."""
    raw = secret.encode()
    yield raw
    yield json.dumps(secret).encode()[1:-1]
    yield json.dumps(secret, ensure_ascii=False).encode()[1:-1]
    yield repr(secret).encode()[1:-1]
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield secret.encode("utf-16-le")
    for start in range(3):  # whatever stands before it in one base64 text
        coded = base64.b64encode(b"\0" * start + raw)
        yield coded[4 if start else 0 : len(coded) // 4 * 4 - 4]


def found_in(data: bytes, planted: tuple[str, ...] = PLANTED) -> list[str]:
    """Return which secrets stand in some bytes, in any of those forms."""
    return [secret for secret in planted if any(form in data for form in encodings(secret))]


def leaks(folder: Path, planted: tuple[str, ...] = PLANTED) -> list[tuple[str, list[str]]]:
    """Return every file below a folder that holds a secret; names of files count too."""
    found = []
    for path in sorted(folder.rglob("*")):
        data = path.name.encode() + (path.read_bytes() if path.is_file() else b"")
        if held := found_in(data, planted):
            found.append((str(path), held))
    return found
