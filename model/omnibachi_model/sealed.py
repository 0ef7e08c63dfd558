"""The seal codec: names of the sealed formats, and where each file of a snapshot lies.

A snapshot is `manifest.json` (the index of everything with its SHA-256), `manifest.sha256` (the seal, for people),
`versions.json` (noted beside, not sealed), one `<domain>/domain.json` per domain, and per workflow
`<domain>/<CODE>.json` and `<domain>/<CODE>.origins.json`. The seal is the digest of `manifest.json` as it lies on
disk. docs/formats.md specifies every member.
"""

from __future__ import annotations

import re

from .addresses import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
SIGNATURE = "manifest.sig.json"  # laid beside by `omnibachi sign`, and no part of what is sealed
VERSIONS = "versions.json"

SNAPSHOT_FORMAT = "omnibachi.snapshot/1"
DOMAIN_FORMAT = "omnibachi.domain/1"
WORKFLOW_FORMAT = "omnibachi.workflow/1"
ORIGINS_FORMAT = "omnibachi.origins/1"

CALL = "CALL"
DECIDE = "DECIDE"
COMPUTE = "COMPUTE"
EXIT = "EXIT"
PASS = "PASS"
EACH = "EACH"
REPEAT = "REPEAT"
ALL = "ALL"
WAIT = "WAIT"
END = "END"
SILENT = (PASS, END)  # they leave no event and are counted nowhere
LOOPS = (EACH, REPEAT, ALL)

FAULT = "FAULT"
SUCCESS = "SUCCESS"
TIMEOUT = "TIMEOUT"
OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"  # of an effect that left the house: nobody knows whether it happened
BACKEND_ERROR = "BACKEND_ERROR"  # it certainly did not
# Of loops, besides SUCCESS.
PARTIAL, FAILED, OVERFLOW, EXHAUSTED = "PARTIAL", "FAILED", "OVERFLOW", "EXHAUSTED"
# Of waits.
APPROVED, REJECTED, EXPIRED = "APPROVED", "REJECTED", "EXPIRED"
RESERVED_OUTCOMES = (FAULT, TIMEOUT, OUTCOME_UNKNOWN)
REJECTED_EXIT = "rejected"
CANCELLED_EXIT = "cancelled"
RESERVED_EXITS = (REJECTED_EXIT, CANCELLED_EXIT)
STATUSES = ("COMPLETED", "REJECTED", "DENIED", "FAILED")
EXIT_CODES = {"COMPLETED": 0, "REJECTED": 1, "FAILED": 1, "DENIED": 5}
EFFECTS = ("PURE", "READ", "IDEMPOTENT", "APPEND_ONLY", "MUTABLE", "EXTERNAL")
WRITES = frozenset(("IDEMPOTENT", "APPEND_ONLY", "MUTABLE"))
EXTERNAL = "EXTERNAL"
REPEAT_KEY, REPEAT_NEVER = "key", "never"
REPEATS = (REPEAT_KEY, REPEAT_NEVER)  # whether what leaves the house may be asked again under the same key
HOSTS = "hosts"
PROGRAMS = "programs"
POLICIES = "policies"
DECISIONS = "decisions"  # events of what was asked, decided and done, which only grow (see `decisions`)
KEEPS = ("registry", "events", "records", "accounts", DECISIONS)


ITEM = "*"  # stands for the number of an item where members of a payload are named


def sealed_name(path: str) -> str:
    """Return the name of the node that an event's path speaks of: `mint_all[3]/read` is `mint_all[]/read`."""
    return re.sub(r"\[[0-9]+\]", "[]", path) if "[" in path else path


def at_gate(origins: Mapping[str, Any], pointer: str) -> tuple[Any, Any] | None:
    """Return file and span of what a workflow's intent says of a member of the payload, named by JSON Pointer.

    Of a member that is not declared, what is said of the nearest one that holds it; None where nothing is told.
    """
    gate = origins.get("gate")
    if not isinstance(gate, dict) or not isinstance(gate.get("members"), dict):
        return None
    members, segments = gate["members"], pointer.split("/")
    while len(segments) > 1:
        numbered = "/".join(ITEM if segment.isdecimal() else segment for segment in segments)
        found = members.get("/".join(segments)) or members.get(numbered)
        if found is not None:
            return gate.get("file"), found
        segments.pop()
    return gate.get("file"), gate.get("span")


def domain_file(domain: str) -> str:
    """Return the sealed file of a domain, relative to the snapshot."""
    return f"{domain}/domain.json"


def workflow_file(address: str) -> str:
    """Return the sealed file of a workflow, relative to the snapshot."""
    domain, code = split(address)
    return f"{domain}/{code}.json"


def origins_file(address: str) -> str:
    """Return the file that says where each node of a workflow was declared, relative to the snapshot."""
    domain, code = split(address)
    return f"{domain}/{code}.origins.json"
