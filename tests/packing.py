"""Packs for tests: compiled from gates in YAML, facts and gates drawn at random, and a second evaluator.

The second evaluator shares no code with `policy/`: it knows a gate's answer as a pair of what is certain, `holds` and
`breaks`, and asks the runtime for conditions.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from omnibachi_compiler.compile import Compilation, compile_sources
from omnibachi_compiler.phase import Source
from omnibachi_model.digests import decode, digest_of
from omnibachi_model.linked_expressions import ExpressionFault, link

DOMAIN = "domain: shop\nsummary: A shop.\nhosts: []\n"
NAME = "shop::PL_MADE_V3"
ZERO = "sha256:" + "0" * 64

Json = dict[str, Any]

TEXT_FACTS = ("intent_type", "stream_id", "lane", "provider", "model_id", "tool_scope", "principal", "tenant",
              "claimed.capability", "claimed.risk_tier")  # fmt: skip
WHOLE_FACTS = ("max_tokens", "max_duration_ms", "input_chars", "input_bytes")
LIST_FACTS = ("declared_tools", "roles", "claimed.request_tags")
FACTS = (*TEXT_FACTS, *WHOLE_FACTS, *LIST_FACTS, "verified")

texts = st.sampled_from(("", "a", "b", "chat", "Größe"))
wholes = st.integers(-3, 12)
lists = st.lists(texts, max_size=3)
OF_TYPE = {
    **dict.fromkeys(TEXT_FACTS, texts),
    **dict.fromkeys(WHOLE_FACTS, wholes),
    **dict.fromkeys(LIST_FACTS, lists),
    "verified": st.booleans(),
}
anything = st.one_of(
    texts, wholes, lists, st.booleans(), st.just(0.5), st.just([1]), st.just({"a": "b"}), st.just("x" * 1001)
)
# Few facts, so that gates and facts meet; sometimes one of another type.
USED = ("lane", "claimed.capability", "input_chars", "max_tokens", "roles", "verified")
facts = st.fixed_dictionaries({}, optional={name: OF_TYPE[name] for name in USED})
odd_facts = st.fixed_dictionaries({}, optional={name: OF_TYPE[name] | anything for name in USED})

CONDITIONS = (
    "lane == 'a'", "verified", "!verified", "size(roles) > 1", "'a' in roles", "has(claimed.capability)",
    "claimed.capability == 'chat' || lane == 'b'", "input_chars + max_tokens < 10", "lane == 'a' && verified",
    "roles.exists(r, r == lane)", "max_tokens % 2 == 0 ? verified : lane != 'b'", "has(claimed.risk_tier)", "true",
    "!has(claimed.capability) && 10 / input_chars > 1",
)  # fmt: skip


def _over(values: Any) -> Any:
    return st.sampled_from(USED).flatmap(lambda fact: values(fact).map(lambda value: {fact: value}))


_bounds = st.tuples(st.none() | wholes, st.none() | st.integers(0, 9)).map(
    lambda pair: (
        {
            **({} if pair[0] is None else {"min": pair[0]}),
            **({} if pair[1] is None else {"max": pair[1] + (pair[0] or 0)}),
        }
        or {"min": 0}
    )
)
_lists_of_values = {fact: st.lists(OF_TYPE[fact], min_size=1, max_size=3, unique_by=repr) for fact in USED}
_bounds_of_facts = st.sampled_from(("input_chars", "max_tokens")).flatmap(
    lambda fact: _bounds.map(lambda one: {fact: one})
)
naming = st.one_of(  # gates that name facts which must be there
    st.sampled_from(USED).map(lambda fact: {"require": fact}),
    _over(lambda fact: OF_TYPE[fact]).map(lambda asked: {"match": asked}),
    _over(lambda fact: _lists_of_values[fact]).map(lambda asked: {"one_of": asked}),
    _bounds_of_facts.map(lambda asked: {"bound": asked}),
)
_plain = st.one_of(
    naming,
    st.sampled_from(USED).map(lambda fact: {"absent": fact}),
    st.sampled_from(CONDITIONS).map(lambda text: {"when": text}),
    st.just({"deny": True}),
)
gates = st.recursive(
    _plain,
    lambda inner: (
        inner.map(lambda gate: {"not": gate})
        | st.lists(inner, min_size=1, max_size=3).map(lambda several: {"any_of": several})
    ),
    max_leaves=5,
)
packs = st.lists(gates, max_size=4).map(
    lambda several: [{**gate, "because": f"made.gate_{at}"} for at, gate in enumerate(several)]
)


def compiled(text: str) -> Compilation:
    """Compile the documents of one file, with a domain."""
    sources = [Source("protocols/shop/domain.yaml", "shop", DOMAIN.encode())]
    return compile_sources([*sources, Source("protocols/shop/case.yaml", "shop", text.encode())], {}, {}, str)


def written(gates: list[Json], allow: str = "made.allow") -> str:
    """Write a policy of some gates; JSON is YAML, but for what YAML reads otherwise."""
    head = f"policy: PL_MADE_V3\nsummary: Made.\nallow: {allow}\n"
    return head + (f"gates: {json.dumps(gates, ensure_ascii=False)}\n" if gates else "")


def sealed(gates: list[Json]) -> Json:
    """Compile a policy of some gates, and return what is in force: `{address, digest, pack}`."""
    found = compiled(written(gates))
    assert found.sealed is not None, found.diagnostics
    domain = decode(found.sealed.files["shop/domain.json"])
    pack = domain["policies"][NAME]
    digest = decode(found.sealed.files["manifest.json"])["policies"][NAME]
    assert digest == digest_of(pack)
    return {"address": NAME, "digest": digest, "pack": pack}


def is_of_type(fact: str, value: Any) -> bool:
    """Tell whether a value is of its fact's type."""
    if fact in TEXT_FACTS:
        return isinstance(value, str) and len(value) <= 1000
    if fact in WHOLE_FACTS:
        return isinstance(value, int) and not isinstance(value, bool)
    if fact == "verified":
        return isinstance(value, bool)
    return isinstance(value, list) and len(value) <= 100 and all(isinstance(item, str) for item in value)


def sure(gate: Json, given: Json) -> tuple[bool, bool]:
    """Return whether a sealed gate certainly holds, and whether it certainly does not."""
    ((kind, asked),) = ((key, value) for key, value in gate.items() if key != "because")
    if kind == "deny":
        return False, True
    if kind == "absent":
        return asked not in given, asked in given
    if kind == "not":
        holds, breaks = sure(asked, given)
        return breaks, holds
    if kind == "any_of":
        found = [sure(one, given) for one in asked]
        return any(holds for holds, _ in found), all(breaks for _, breaks in found)
    if kind == "when":
        return _condition(asked, given)
    named = [asked] if kind == "require" else list(asked)
    if not all(fact in given and is_of_type(fact, given[fact]) for fact in named):
        return False, False
    if kind == "require":
        return True, False
    answer = all(_asked(kind, given[fact], asked[fact]) for fact in named)
    return answer, not answer


def _asked(kind: str, value: Any, asked: Any) -> bool:
    if kind == "match":
        return bool(value == asked)
    if kind == "one_of":
        return value in asked
    return asked.get("min", -(2**53)) <= value <= asked.get("max", 2**53)  # type: ignore[no-any-return]


def _condition(expression: list[Any], given: Json) -> tuple[bool, bool]:
    text = json.dumps(expression)
    names: Json = {"claimed": {}}
    for fact, value in given.items():
        root, _, claim = fact.partition(".")
        if json.dumps(["name", root]) not in text:
            continue
        if not is_of_type(fact, value):
            return False, False
        if claim:
            names[root][claim] = value
        else:
            names[root] = value
    try:
        answer = link(expression)(names)
    except ExpressionFault:
        return False, False
    return answer is True, answer is False
