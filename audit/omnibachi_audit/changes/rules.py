"""The table of rules: what may be found between two snapshots, its class, and why it is of that class.

A rule's name is for ever, like a diagnostic's code: scripts may count on it. docs/compatibility.md lists them all, and
a test compares the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BREAKING = "breaking"
ADDITIVE = "additive"
COSMETIC = "cosmetic"
CLASSES = (BREAKING, ADDITIVE, COSMETIC)

RULES: dict[str, tuple[str, str]] = {
    "removed": (BREAKING, "who names it finds it no longer"),
    "added": (ADDITIVE, "nothing that was there speaks of it"),
    "takes-less": (BREAKING, "a value that was taken may be refused"),
    "takes-more": (ADDITIVE, "all that was taken is taken still"),
    "takes-the-same": (COSMETIC, "the schema is written otherwise and takes the same values"),
    "default-changed": (BREAKING, "where the value is left out, another one is read"),
    "default-added": (ADDITIVE, "where the value is left out, one is read that was not there"),
    "gives-less": (BREAKING, "who reads it may find it missing, or a value that was not possible before"),
    "gives-more": (ADDITIVE, "who reads what was given finds it as it was"),
    "secret-added": (BREAKING, "records hold a commitment in its place, and what hands it on may be refused"),
    "secret-dropped": (BREAKING, "what no record held stands in every record from now on"),
    "outcome-removed": (BREAKING, "who routes it waits for it in vain"),
    "outcome-added": (BREAKING, "who uses it has no route for it"),
    "effect-changed": (BREAKING, "it may do to state what it did not do"),
    "needs-changed": (BREAKING, "who uses it names other things with it"),
    "implementation-changed": (BREAKING, "it may answer otherwise; `compat` says for which recorded runs"),
    "store-changed": (BREAKING, "what is kept in it is not kept in the same way"),
    "seeds-allowed": (ADDITIVE, "facts may be loaded into it"),
    "seeds-refused": (BREAKING, "facts are no longer loaded into it"),
    "hosts-changed": (BREAKING, "effects may reach other hosts"),
    "programs-changed": (BREAKING, "effects may run other programs"),
    "intent-changed": (COSMETIC, "another intent admits; what its payload must be is compared on its own"),
    "start-moved": (BREAKING, "runs begin with another node"),
    "exit-removed": (BREAKING, "who waits for it waits in vain"),
    "exit-added": (ADDITIVE, "no run ended so before"),
    "status-changed": (BREAKING, "the same exit means something else"),
    "result-otherwise": (BREAKING, "the result is made of other values"),
    "node-removed": (BREAKING, "runs pass it no longer, and its path stands in no record"),
    "node-added": (ADDITIVE, "what leads to it is told of on its own"),
    "node-otherwise": (BREAKING, "the node does something else"),
    "inputs-otherwise": (BREAKING, "the node is given other values"),
    "route-changed": (BREAKING, "the same outcome leads elsewhere"),
    "route-added": (ADDITIVE, "the node did not end so before"),
    "route-removed": (COSMETIC, "the node cannot end so any more, which is told of on its own"),
    "row-changed": (BREAKING, "the same values may be decided otherwise"),
    "because-changed": (COSMETIC, "the record words the reason otherwise"),
    "field-changed": (BREAKING, "the same values may give another one"),
    "answers-otherwise": (COSMETIC, "its answers are checked against another schema, as its declaration or store says"),
    "withheld-otherwise": (COSMETIC, "the record withholds other fields of it, as declarations say"),
    "check-added": (BREAKING, "its inputs were proven to fit and are now checked when run: a misfit is FAULT"),
    "check-changed": (COSMETIC, "its inputs are checked against another schema, as its declaration says"),
    "check-dropped": (ADDITIVE, "its inputs are proven to fit now"),
    "bound-grown": (BREAKING, "a run may do more than was proven to be the most"),
    "bound-shrunk": (ADDITIVE, "no run does more than before"),
    "law-removed": (BREAKING, "what was proven of every path is proven no longer"),
    "law-weakened": (BREAKING, "the law binds fewer paths"),
    "law-changed": (BREAKING, "another thing is proven, and it is not shown that it holds the old one"),
    "law-added": (ADDITIVE, "more is proven of the same paths"),
    "law-strengthened": (ADDITIVE, "the law binds all that it bound, and more"),
    "policy-changed": (BREAKING, "the same facts may be decided otherwise"),
    "summary-changed": (COSMETIC, "the words that describe it; no run reads them"),
    "file-moved": (COSMETIC, "where it is declared; messages name the new place"),
    "source-changed": (COSMETIC, "the text of a source; what it means is compared on its own"),
    "unknown": (BREAKING, "it differs in a part that this version of the comparison does not know"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two snapshots.

    `address` names what changed (a source: its file), `part` the place inside it (a node, an exit, a JSON Pointer into
    a payload; empty for the whole), `what` says the difference in words. `file` and `line` are where the new snapshot
    declares it (the old one, for what is gone), None where the snapshot does not tell.
    """

    rule: str
    address: str
    part: str
    what: str
    file: str | None = None
    line: int | None = None

    @property
    def weight(self) -> str:
        """The class: breaking, additive or cosmetic."""
        return RULES[self.rule][0]

    @property
    def reason(self) -> str:
        """Why it is of that class."""
        return RULES[self.rule][1]

    def as_json(self) -> dict[str, Any]:
        """Return the shape that `diff --json` prints."""
        place = {name: getattr(self, name) for name in ("rule", "address", "part", "what", "file", "line")}
        return {"class": self.weight, **place, "reason": self.reason}


def in_order(changes: list[Change]) -> list[Change]:
    """Sort changes: the breaking ones first, then by address, part, rule and words."""
    return sorted(
        changes, key=lambda one: (CLASSES.index(one.weight), one.address, one.part, one.rule, one.what, str(one.line))
    )
