"""The schemas of what is kept and told: stores, events, intents, named schemas, and the domain that holds them."""

from __future__ import annotations

from .words import (
    DEFS,
    FIELD_NAME,
    FIELDS,
    NAME,
    SUMMARY,
    SWITCH,
    VALUE_SCHEMA,
    Schema,
    address_of,
    code_of,
    either,
    entries,
    listed,
    named,
    record,
    text,
)

STORE: Schema = {
    **record(
        "a store",
        {
            "store": code_of("a store", "ST", "ST_ACTORS_V0"),
            "summary": SUMMARY,
            "governed_by": address_of("a side effect", "CS", "CS_REGISTRY_V0"),
            "record": VALUE_SCHEMA,
            "seed": SWITCH,
            "evidence": SWITCH,
            "overdraft": listed("a list of accounts", text("the name of an account"), least=1),
            "opened": listed("a list of accounts", text("the name of an account"), least=1),
            "open_on_receipt": SWITCH,
        },
        required=("store", "governed_by"),
    ),
    "$defs": DEFS,
}

EVENT: Schema = {
    **record(
        "an event",
        {
            "event": code_of("an event", "EV", "EV_ACTOR_REGISTERED_V0"),
            "summary": SUMMARY,
            "record": VALUE_SCHEMA,
        },
        required=("event", "record"),
    ),
    "$defs": DEFS,
}

INTENT: Schema = {
    **record(
        "an intent",
        {
            "intent": code_of("an intent", "IN", "IN_ACTOR_REGISTERED_V0"),
            "summary": SUMMARY,
            "payload": VALUE_SCHEMA,
        },
        required=("intent", "payload"),
    ),
    "$defs": DEFS,
}

SCHEMA: Schema = {
    **record(
        "a named schema",
        {
            "schema": code_of("a schema", "SC", "SC_ACTOR_RECORD_V0"),
            "summary": SUMMARY,
            "is": VALUE_SCHEMA,
        },
        required=("schema", "is"),
    ),
    "$defs": DEFS,
}

_PLACE = record("a place for an argument", {"argument": FIELD_NAME, "prefix": text("a text")}, required=("argument",))
_PROGRAM = record(
    "a program",
    {
        "command": listed("a list of texts and arguments", either("a text or `{argument: …}`", text("a text"), _PLACE),
                          least=1),
        "arguments": FIELDS,
        "environment": {
            "type": "object",
            "title": "a mapping of variables to texts",
            "additionalProperties": either("a text or `{$secret: …}`", text("a text"), record(
                "a named secret", {"$secret": text("the name of a secret")}, required=("$secret",))),
        },
        "directory": text("a folder"),
    },
    required=("command",),
)  # fmt: skip

DOMAIN: Schema = {
    **record(
        "a domain",
        {
            "domain": named("the name of a domain", NAME, "blockchain"),
            "summary": SUMMARY,
            "hosts": listed("a list of hosts", text("the name of a host")),
            "programs": entries("a mapping of names to programs", FIELD_NAME, _PROGRAM),
        },
        required=("domain",),
    ),
    "$defs": DEFS,
}
