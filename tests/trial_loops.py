"""The trial's loops: an `each` over a contract with effects, a `repeat`, an `all`, an operation that is tried again.

`WF_LOOPS_V0` of one name that comes twice passes every kind of iteration: some are good, some not, and what was taken
already is asked for once more, in vain, until no attempt is left.
"""

from __future__ import annotations

LOOPS = "trial::WF_LOOPS_V0"
SOURCE = """
intent: IN_MANY_V0
summary: Somebody keeps many things.
payload:
  type: object
  properties: {names: {type: array, items: {type: string, minLength: 1}, minItems: 1}}
  required: [names]
  additionalProperties: false
---
contract: CC_KEEP_V0
summary: Claim a name, keep a thing under it, and look until it is there.
inputs: {name: {type: string, minLength: 1}, by: {type: string, default: nobody}}
start: claim
nodes:
  claim:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_NAMES_V0
    with: {key: $.inputs.name, value: {owner: $.inputs.by}}
    next: {SUCCESS: put, ALREADY_EXISTS: TAKEN}
  put:
    use: CS_RECORDS_V0.PUT
    store: ST_THINGS_V0
    with: {key: $.inputs.name, value: {n: 1, by: $.inputs.by}}
    next: {SUCCESS: seen}
  seen:
    repeat: {max: 2, until: revision > 0}
    use: CS_RECORDS_V0.GET
    store: ST_THINGS_V0
    with: {key: $.inputs.name}
    next: {SUCCESS: SUCCESS, EXHAUSTED: TAKEN, NOT_FOUND: TAKEN}
outcomes:
  SUCCESS: {revision: $.nodes.seen.revision}
  TAKEN: {}
---
workflow: WF_LOOPS_V0
summary: Pass every kind of loop.
intent: IN_MANY_V0
start: keep_all
fault: failed
next: {VIOLATION: failed}
nodes:
  keep_all:
    each: $.payload.names
    as: one
    max: 5
    use: CC_KEEP_V0
    with: {name: $.each.one}
    next: {SUCCESS: tell, PARTIAL: tell, FAILED: failed, OVERFLOW: failed}
  tell:
    repeat: {max: 3, until: sequence > 1, every: 2ms}
    use: CS_EVENTS_V0.APPEND
    store: ST_TOLD_V0
    event: EV_TOLD_V0
    with: {record: {who: $.run.id, what: told, n: 1}}
    next: {SUCCESS: look, EXHAUSTED: look}
  look:
    all:
      things: {use: CS_RECORDS_V0.COUNT, store: ST_THINGS_V0, with: {where: {}}, deadline: 10s}
      nothing: {use: CS_RECORDS_V0.GET, store: ST_THINGS_V0, with: {key: nothing}}
    good: [SUCCESS, NOT_FOUND]
    next: {SUCCESS: again, FAILED: failed}
  again:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_NAMES_V0
    with: {key: "$.payload.names[0]", value: {owner: somebody}}
    retry: {on: [ALREADY_EXISTS], max: 2, backoff: 2ms, factor: 2}
    deadline: 10s
    next: {SUCCESS: failed, ALREADY_EXISTS: done, TIMEOUT: failed}
exits:
  done:
    status: COMPLETED
    result: {kept: $.nodes.keep_all.items, things: $.nodes.look.things, owner: $.nodes.again.value}
  failed: {status: FAILED}
"""
