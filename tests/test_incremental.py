"""Compiling again with what is remembered gives what compiling from nothing gives, and reads only what it must."""

from __future__ import annotations

import orjson
from hypothesis import event, given, settings
from hypothesis import strategies as st

from edited import FILES, PYTHON, Edited
from thoroughness import many

EXAMPLES = many(10, 1_000)
FLOWS = "protocols/shop/flows"
EDITS = st.sampled_from(
    [
        *((path, number) for path, texts in FILES.items() for number in range(len(texts))),
        *(("python", number) for number in range(len(PYTHON))),
        *((what, number) for what in ("spoilt", "lost") for number in range(8)),
    ]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(EDITS, min_size=1, max_size=12))
def test_edits_in_any_order_give_the_same_bytes_and_findings(edits: list[tuple[str, int]]) -> None:
    work = Edited()
    assert work.compiled() is not None
    for what, number in edits:
        before = work.chosen.get(what, 0)
        if what == "python":
            work.python = number
        elif what in ("spoilt", "lost"):
            name = sorted(work.snapshot)[number % len(work.snapshot)]
            work.snapshot[name] = work.snapshot[name] + b" "
            if what == "lost":
                del work.snapshot[name]
        else:
            work.chosen[what] = number
        again = work.compiled()
        event("sealed" if again else "refused")
        if again is not None:
            event(f"{sum(path.startswith(FLOWS) for path in again.read)} workflow files read")
        elif len(edits) % 2:  # often the mistake is taken back
            work.python = 0
            if what in FILES:
                work.chosen[what] = before


def read(work: Edited) -> set[str]:
    again = work.compiled()
    assert again is not None
    return {path.removeprefix("protocols/").removesuffix(".yaml") for path in again.read}


ALWAYS = {"std/domain", "shop/domain"}


def test_only_domains_are_read_where_nothing_changed() -> None:
    work = Edited()
    assert len(read(work)) == sum(texts[0] is not None for texts in FILES.values())
    assert read(work) == ALWAYS


def test_an_edit_is_read_with_what_rests_on_it_and_what_that_uses() -> None:
    work = Edited()
    work.compiled()
    work.chosen[f"{FLOWS}/add.yaml"] = 1
    assert read(work) == ALWAYS | {"shop/flows/add", "shop/flows/nested"}
    work.chosen["protocols/shop/two.yaml"] = 2
    assert read(work) == ALWAYS | {"shop/two", "shop/flows/two", "shop/one"}
    work.chosen["protocols/shop/kept.yaml"] = 2
    assert read(work) == ALWAYS | {"shop/kept", "shop/flows/kept"}


def test_a_new_definition_that_shadows_another_is_seen() -> None:
    work = Edited()
    work.compiled()
    work.chosen["protocols/shop/add.yaml"] = 1
    users = {"shop/one", "shop/two", "shop/flows/add", "shop/flows/two", "shop/flows/nested", "shop/flows/kept"}
    assert read(work) == ALWAYS | {"shop/add"} | users
    assert b'"shop::CT_ADD_V0"' in work.snapshot["shop/WF_ADD_V0.json"]
    work.chosen["protocols/shop/add.yaml"] = 0
    assert read(work) == ALWAYS | users
    assert b'"std::CT_ADD_V0"' in work.snapshot["shop/WF_ADD_V0.json"]


def test_of_a_domain_bodies_know_the_hosts_alone() -> None:
    work = Edited()
    work.chosen["protocols/shop/flows/ask.yaml"] = 1
    work.compiled()
    work.chosen["protocols/shop/domain.yaml"] = 1
    assert read(work) == ALWAYS
    work.chosen["protocols/shop/domain.yaml"] = 2
    assert "shop/flows/ask" in read(work)
    assert b"a.example" in work.snapshot["shop/WF_ASK_V0.json"]


def test_laws_come_and_go_without_reading_workflows_again() -> None:
    work = Edited()
    work.compiled()
    for number in (1, 2, 4, 1):
        work.chosen["protocols/shop/laws.yaml"] = number
        assert read(work) == ALWAYS | {"shop/laws"}
        assert orjson.loads(work.snapshot["shop/WF_TWO_V0.json"])["laws"]
    work.chosen["protocols/shop/laws.yaml"] = 0
    assert read(work) == ALWAYS
    assert not orjson.loads(work.snapshot["shop/WF_TWO_V0.json"])["laws"]


def test_a_warning_is_told_again_from_memory() -> None:
    work = Edited()
    work.chosen |= {f"{FLOWS}/add.yaml": 2, f"{FLOWS}/nested.yaml": 2}
    first, second = work.compiled(), work.compiled()
    assert first is not None and second is not None
    assert [item.code for item in second.diagnostics] == ["OB515"]
    assert f"{FLOWS}/add.yaml" in first.read and f"{FLOWS}/add.yaml" not in second.read
