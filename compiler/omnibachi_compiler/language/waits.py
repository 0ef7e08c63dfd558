"""The schema of `wait`: what a node waits for, who may answer, how many of them, and how long."""

from __future__ import annotations

from .durations import WITHIN
from .words import listed, named, one_of, record, shown, whole_number

APPROVAL = "approval"
MOST_APPROVERS = 100

ROLE = named("a role of the trust file", "[a-z][a-z0-9_.-]{0,62}", "compliance")

WAIT = shown(
    record(
        "a wait",
        {
            "for": one_of("what is waited for", (APPROVAL,)),
            "roles": shown(
                {**listed("a list of roles of the trust file", ROLE, least=1), "uniqueItems": True}, "[compliance]"
            ),
            "quorum": whole_number(1, MOST_APPROVERS),
            "within": WITHIN,
        },
        required=("for", "roles"),
    ),
    "{for: approval, roles: [compliance], quorum: 2, within: 24h}",
)
