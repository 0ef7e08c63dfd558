"""What the compiler tells editors: positions in any text, what may be written there, what names mean, new names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from half_written import BEGUN, CONTRACT, PATH, PRELUDE, ROOT, STD
from mutations import text_mutated
from omnibachi.compiling import compile_workspace
from omnibachi.workspace import shipped_root
from omnibachi_compiler.compile import Compilation, compile_sources
from omnibachi_compiler.editing.bodies import surveyed_at
from omnibachi_compiler.editing.completion import Offer, complete
from omnibachi_compiler.editing.declaration import declarations
from omnibachi_compiler.editing.hover import hover
from omnibachi_compiler.editing.places import Places
from omnibachi_compiler.editing.rename import rename
from omnibachi_compiler.editing.scan import Token, here, scan
from omnibachi_compiler.editing.spots import Open, Project
from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.tree import Mapping, Scalar, Tree
from test_cases import CASE_LIST
from test_lsp import HOSTILE
from thoroughness import many
from workspaces import Workspace, workspaces


def texts() -> list[str]:
    """Return the texts of the shipped protocols and of the cases."""
    found = [path.read_text("utf-8") for path in sorted((ROOT / "protocols").rglob("*.yaml"))]
    for case in CASE_LIST:
        for name, data in case.files.items():
            if name.endswith(".yaml") and isinstance(data, bytes) and len(data) < 9000:
                found.append(data.decode("utf-8", "replace"))
    return found


TEXTS = texts()


@pytest.fixture(scope="module")
def shop() -> Project:
    return Project(compile_workspace(str(PRELUDE), shipped=shipped_root()).library, {})


def ask(project: Project, marked: str, path: str = PATH) -> list[Offer]:
    """Complete a text at its `|`."""
    return complete(project, Open(path, path.split("/")[1], marked.replace("|", "", 1)), marked.index("|"))


def labels(project: Project, marked: str) -> list[str]:
    return [offer.label for offer in ask(project, marked)]


def leaves(tree: Tree, path: tuple[str | int, ...], places: Places) -> Iterator[tuple[Any, ...]]:
    """Yield (path, whether it is a key, offset) of every key and scalar of a tree."""
    if isinstance(tree, Scalar):
        yield path, False, places.offset(tree.span.line, tree.span.column)
    elif isinstance(tree, Mapping):
        for entry in tree:
            yield (*path, entry.key), True, places.offset(entry.key_span.line, entry.key_span.column)
            yield from leaves(entry.value, (*path, entry.key), places)
    else:
        for number, item in enumerate(tree):
            yield from leaves(item, (*path, number), places)


def alike(text: str) -> bool:
    """Hold the scanner to what the loader finds; tell whether the text loads."""
    phase = load(Source("x", "y", text.encode()))
    if phase.diagnostics:
        scan(text)
        return False
    places = Places(text)
    told = {(number, *leaf) for number, tree in enumerate(phase.value) for leaf in leaves(tree, (), places)}
    assert {(item.document, item.path, item.key, item.start) for item in scan(text).tokens} == told, text
    return True


def test_the_scanner_finds_what_the_loader_finds() -> None:
    assert sum(alike(text) for text in TEXTS) > 100
    block = "a:\n- b: |\n    text: no key\n  c: 'it''s'\n-\n  - \"x: y\"\n  - {d: [1, {e: f}], 'g h': $.a.b}\n"
    assert alike(block + "i: word and\n  more\nj:\n    - - k: 1\n        l: 2\n      - m\n")


LINES = ("a: b\n", "  c: 'd\n", "  - {e: [f, g\n", "]}\n", "h: |\n", "    i: j\n", "---\n", "# k\n", "l: m\n  o\n")
PIECES = st.lists(st.sampled_from((*LINES, '"', "\n", " ")), max_size=30).map("".join)


@settings(max_examples=300, deadline=None, phases=(Phase.generate, Phase.shrink))
@given(old=PIECES, typed=PIECES, at=st.integers(0, 200), gone=st.integers(0, 30))
def test_a_text_that_was_edited_is_scanned_as_a_new_one(old: str, typed: str, at: int, gone: int) -> None:
    """What is known of a text must not show in what is said of it after an edit, wherever that was."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("omnibachi_compiler.editing.scan.EVERY", 1)
        new = old[:at] + typed + old[at + gone :]
        known = scan(old)
        assert scan(new, known) == scan(new)
        for offset in (len(new), at, at + len(typed), len(new) // 2):
            assert here(new, offset, known) == here(new, offset)


SCALARS = st.integers(0, 9) | st.text("ab:#- '{}[],\"\\é", max_size=5)
VALUES: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(VALUES, max_size=3) | st.dictionaries(st.text("abc -", min_size=1), VALUES, max_size=3)
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(value=VALUES)
def test_the_scanner_reads_what_yaml_writes(value: Any) -> None:
    yaml = pytest.importorskip("yaml")
    for flow in (True, False):
        alike(yaml.safe_dump({"k": value, "l": [value]}, default_flow_style=flow, allow_unicode=True, width=10**9))


@pytest.mark.parametrize("seed", range(3))
def test_any_text_is_survived(seed: int, shop: Project) -> None:
    """Cut, spoilt and hostile texts have answers, however poor."""
    random = Random(seed)
    chosen = [text.replace("\ud800", "?") for text in HOSTILE] if seed == 0 else []
    for _ in range(120):
        text = random.choice(TEXTS)
        spoilt = text_mutated(text, random).decode("utf-8", "replace") if random.randrange(3) else text
        chosen.append(spoilt[: random.randrange(len(spoilt) + 1)] if random.randrange(2) else spoilt)
    for text in chosen:
        opened = Open(PATH, "shop", text)
        for offset in (random.randrange(len(text) + 1), len(text)):
            for offer in complete(shop, opened, offset):
                assert 0 <= offer.start <= offset <= offer.end <= len(text)
            hover(shop, opened, offset)
            declarations(shop, opened, offset)
            rename(shop, opened, offset, "another")


def test_names_are_offered_where_they_go(shop: Project) -> None:
    at = BEGUN.replace
    assert {"price", "look", "done", "failed", "rejected"} == set(labels(shop, at("SUCCESS: done", "SUCCESS: |")))
    assert labels(shop, at("NOT_FOUND: total", "|")) == ["NOT_FOUND", "FAULT"]
    assert labels(shop, at("store: ST_ORDERS_V0", "store: |")) == ["ST_ORDERS_V0"], "governed by the registry"
    assert labels(shop, at("with: {key: a}", "with: {|}")) == ["key"]
    assert "IN_ORDER_V0" in labels(shop, at("intent: IN_ORDER_V0", "intent: |"))
    assert {"CT_PRICE_V0", "CS_REGISTRY_V0.RESOLVE", "CS_EVENTS_V0.APPEND"} <= set(labels(shop, at("CT_PRICE_V0", "|")))
    assert labels(shop, at("status: FAILED", "status: |")) == ["COMPLETED", "REJECTED", "DENIED", "FAILED"]
    assert set(labels(shop, at("start: price", "start: |"))) == {"price", "look", "total"}
    assert "limits" in labels(shop, BEGUN + "|") and "exits" not in labels(shop, BEGUN + "|")
    assert {"workflow", "contract", "store", "test"} <= set(labels(shop, BEGUN + "---\n|"))
    assert labels(shop, "store: ST_A_V0\nseed: |") == ["true", "false"]
    use = ask(shop, BEGUN.replace("  total:\n", "  more:\n    us|\n  total:\n"))
    assert [offer.insert for offer in use if offer.label == "use"] == ["use: "]
    scenario = "test: x\nworkflow: WF_NEW_V0\nsteps:\n  - expect: {exit: |}\n"
    assert labels(shop, scenario) == ["rejected"], "of a workflow that nobody declares, only what all have"


def test_paths_are_offered_that_are_given(shop: Project) -> None:
    reading = BEGUN.replace("{a: $.nodes.price.cents}", "{a: $.nodes.|}")
    assert labels(shop, reading) == ["$.nodes.price", "$.nodes.look"]
    fields = [(offer.label, offer.detail) for offer in ask(shop, reading.replace(".|", ".price.|"))]
    assert fields == [
        ("$.nodes.price.cents", "integer, given on every path"),
        ("$.nodes.price.currency", "string, may be absent"),
    ]
    assert labels(shop, reading.replace(".|", ".look.|")) == [], "one of the two ways gives it"
    (found,) = ask(shop, reading.replace("$.nodes.|", "{$first: [$.nodes.look.|, 1]}"))
    assert (found.label, found.detail) == (
        "$.nodes.look.value",
        "object with `cents`, `item`, given on some paths only",
    )
    assert labels(shop, reading.replace("$.nodes.|", "$.run.|")) == ["$.run.id", "$.run.started_at", "$.run.actor"]
    members = {offer.label: offer.detail for offer in ask(shop, reading.replace("nodes.|", "payload.|"))}
    assert "may be absent" in members["$.payload.note"] and "every path" in members["$.payload.priority"]
    assert labels(shop, reading.replace("$.nodes.|", "|")) == ["$.payload", "$.nodes", "$.run"]


def test_contracts_and_loops_are_known_too(shop: Project) -> None:
    assert labels(shop, CONTRACT.replace("$.each.one", "$.each.|")) == ["$.each.one"]
    assert labels(shop, CONTRACT.replace("$.each.one", "$.|")) == ["$.inputs", "$.nodes", "$.run", "$.each"]
    unknown = CONTRACT.replace("items: {type: string}", "items: {type: object, properties: {sku: {type: string}}}")
    unknown = unknown.replace("use: CS_REGISTRY_V0.RESOLVE", "use: CC_NOT_YET_V0")
    assert labels(shop, unknown.replace("$.each.one", "$.each.one.|")) == ["$.each.one.sku"]
    assert labels(shop, CONTRACT.replace("$.inputs.keys", "$.inputs.|")) == ["$.inputs.key", "$.inputs.keys"]
    assert labels(shop, CONTRACT.replace("FOUND: {items: $.nodes.all.items}", "FOUND: {items: $.nodes.all.|}")) == [
        "$.nodes.all.items"
    ]
    assert set(labels(shop, CONTRACT.replace("FAILED: NONE", "FAILED: |"))) == {"FOUND", "NONE"}
    assert labels(shop, CONTRACT.replace(", FAILED: NONE", ", |")) == ["FAILED", "OVERFLOW", "FAULT"]


def test_what_was_surveyed_is_told_from_what_has_changed_since(shop: Project) -> None:
    """While a path is typed the same survey answers; another text, or another library, has another."""
    begun = Open(PATH, "shop", BEGUN)
    offset = BEGUN.index("$.nodes.price.cents") + len("$.nodes.")

    def offered(project: Project, text: str) -> list[str]:
        return [offer.label for offer in complete(project, Open(PATH, "shop", text, surveys=begun.surveys), offset)]

    typed = BEGUN.replace("$.nodes.price.cents", "$.nodes.")
    first = offered(shop, typed)
    assert first == ["$.nodes.price", "$.nodes.look"]
    survey = begun.surveys[0]
    assert offered(shop, typed.replace("$.nodes.", "$.nodes.p", 1)) == first
    assert begun.surveys == [survey]
    assert offered(shop, typed.replace("look", "seen")) == ["$.nodes.price", "$.nodes.seen"]
    offered(Project(replace(shop.library), {}), typed)
    assert begun.surveys[0] is not survey and begun.surveys[0].tree is survey.tree


@settings(max_examples=many(4, 60), deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(made=workspaces(), number=st.integers(0, 10**6))
def test_what_is_offered_is_what_compiles(made: Workspace, number: int) -> None:
    """A path that is offered is refused nowhere it is read; one of a node that is not offered is refused."""
    source = made.source.decode()
    library = _compiled(source).library
    document = next(item for item in made.documents if "workflow" in item)
    reader = sorted(document["nodes"])[number % len(document["nodes"])]
    document["nodes"][reader].setdefault("with", {})["probe"] = "$.nodes."
    opened = Open(PATH, "shop", made.source.decode())
    spot = _probe(opened)
    surveyed = surveyed_at(Project(library, {}), opened, spot.document)
    if surveyed is None or reader not in surveyed.facts.given:
        return
    offered = {offer.label for offer in complete(Project(library, {}), opened, spot.end - 1)}
    probes: dict[str, bool] = {}
    for name in surveyed.graph.nodes:
        document["nodes"][reader]["with"]["probe"] = f"$.nodes.{name}."
        opened = Open(PATH, "shop", made.source.decode())
        spot = _probe(opened)
        given = {offer.label for offer in complete(Project(library, {}), opened, spot.end - 1)}
        assert not given or f"$.nodes.{name}" in offered
        fields = {field for schema in surveyed.outcomes(name).values() for field in schema.get("properties", {})}
        probes |= {f"$.nodes.{name}.{field}": f"$.nodes.{name}.{field}" in given for field in sorted(fields)}
    for path, sure in list(probes.items())[:8]:
        document["nodes"][reader]["with"]["probe"] = path
        spot = _probe(opened := Open(PATH, "shop", made.source.decode()))
        # What is drawn may have mistakes of its own, the same path read elsewhere among them.
        lines = {opened.places.place(offset) for offset in range(spot.start, spot.end)}
        compiled = _compiled(opened.text).diagnostics
        found = [item for item in compiled if item.span and (item.span.line, item.span.column) in lines]
        assert sure is not any(item.code in ("OB310", "OB506") for item in found), (path, reader, found)


def _probe(opened: Open) -> Token:
    return next(token for token in opened.tokens if token.path[-1:] == ("probe",) and not token.key)


def _compiled(source: str) -> Compilation:
    shipped = [Source(f"protocols/std/{path.name}", "std", path.read_bytes()) for path in STD]
    return compile_sources([Source(PATH, "shop", source.encode()), *shipped], {}, {}, str)


def test_what_a_name_means_is_told(shop: Project) -> None:
    def told(marked: str) -> str:
        opened = Open(PATH, "shop", marked.replace("|", "", 1))
        found = hover(shop, opened, marked.index("|"))
        return found.text if found else ""

    at = BEGUN.replace
    text = told(at("$.nodes.price.cents", "$.nodes.pri|ce.cents"))
    assert "integer" in text and "`price SUCCESS`" in text and "given on every path" in text
    assert "not given on the path price SUCCESS → look NOT_FOUND → total" in told(at("price.cents", "look.val|ue"))
    assert "may be absent" in told(at("price.cents", "price.curr|ency"))
    assert "`item`: string" in told(at("CT_PRICE", "CT_|PRICE")) and "Find the price" in told(
        at("CT_PRICE", "CT_|PRICE")
    )
    assert "leads to `look`" in told(at("{SUCCESS: look", "{SUC|CESS: look"))
    assert "`SUCCESS` → `done`" in told(at("SUCCESS: total,", "SUCCESS: to|tal,"))
    assert "exit `done`: COMPLETED" in told(at("SUCCESS: done", "SUCCESS: do|ne"))
    assert "governed by `std::CS_REGISTRY_V0`" in told(at("ST_ORDERS", "ST_OR|DERS"))
    assert "of the intent `shop::IN_ORDER_V0`" in told(at("$.payload.item", "$.pay|load.item"))
    assert "the name of a node" in told(at("start:", "sta|rt:"))
    assert "an input of `std::CS_REGISTRY_V0.RESOLVE`" in told(at("{key: a}", "{ke|y: a}"))
    assert told(at("summary: New.", "summary: Ne|w.")) == ""


def test_declarations_are_found(shop: Project) -> None:
    def goes(marked: str) -> tuple[str, str]:
        text = marked.replace("|", "", 1)
        (span,) = declarations(shop, Open(PATH, "shop", text), marked.index("|"))
        lines = (text if span.file == PATH else (PRELUDE / span.file).read_text("utf-8")).split("\n")
        return span.file, lines[span.line - 1][span.column - 1 :].partition(":")[0].split("\n")[0]

    at, base = BEGUN.replace, "protocols/shop/base.yaml"
    assert goes(at("$.nodes.price.cents", "$.nodes.|price.cents")) == (PATH, "price")
    assert goes(at("$.nodes.total.sum", "$.nodes.total.|sum")) == (PATH, "sum")
    assert goes(at("SUCCESS: done", "SUCCESS: d|one")) == (PATH, "done")
    assert goes(at("ST_ORDERS_V0", "ST_ORD|ERS_V0")) == (base, "ST_ORDERS_V0")
    assert goes(at("CT_PRICE_V0", "CT_PRICE|_V0")) == (base, "CT_PRICE_V0")
    assert goes(at("$.payload.item", "$.payload.i|tem")) == (base, "item")
    assert goes(CONTRACT.replace("$.inputs.keys", "$.inputs.k|eys")) == (PATH, "keys")
    assert goes(CONTRACT.replace("FAILED: NONE", "FAILED: N|ONE")) == (PATH, "NONE")
