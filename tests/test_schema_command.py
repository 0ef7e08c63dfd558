"""`omnibachi schema`: it and the compiler's shape check accept the same documents, over a corpus that is spoilt at
random; what the schema of a project refuses, the compiler refuses."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator

from mutations import json_mutated
from omnibachi.__main__ import main
from omnibachi.compiling import compile_workspace
from omnibachi.workspace import shipped_root
from omnibachi_compiler.editing.json_schema import language_schema, project_schema
from omnibachi_compiler.editing.names import names_of
from omnibachi_compiler.editing.roles import ROLES, kind_of
from omnibachi_compiler.language import SCHEMAS
from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.shape import check_shape
from omnibachi_compiler.tree import plain
from omnibachi_model.diagnostics import Diagnostic, has_errors
from test_cases import CASE_LIST
from test_shape import SOUND
from workspaces import Workspace, workspaces

ROOT = Path(__file__).resolve().parent.parent
PRELUDE = Path(__file__).parent / "cases" / "prelude"
LANGUAGE = Draft202012Validator(language_schema())
WORDS = (
    *("SUCCESS", "NOT_FOUND", "done", "failed", "ST_X_V0", "std::CS_REGISTRY_V0.REGISTER", "CT_X_V0", "WF_X_V0", "5s"),
    *("other::WF_X_V0", "CC_X_V0", "25h", "a/b", "a[]/b", "start", "exit", "all", "$.payload.x", "PURE", "COMPLETED"),
)
OF_NODES = (
    *("use", "each", "as", "max", "good", "repeat", "retry", "deadline", "decide", "compute", "wait", "with", "secret"),
    "evidence",
)
KEYS = sorted({key for schema in SCHEMAS.values() for key in schema["properties"]} | set(OF_NODES))


def documents() -> list[dict[str, Any]]:
    """Return every document of the shipped protocols, of the cases and of the tests of shapes."""
    texts = [path.read_bytes() for path in sorted((ROOT / "protocols").rglob("*.yaml"))]
    texts += [path.read_bytes() for path in sorted(PRELUDE.rglob("*.yaml"))]
    for case in CASE_LIST:
        texts += [data for name, data in case.files.items() if name.endswith(".yaml") and isinstance(data, bytes)]
    texts += [text.encode() for text in SOUND.values()]
    found = [plain(tree) for text in texts if len(text) < 20_000 for tree in load(Source("x", "shop", text)).value]
    return [item for item in found if isinstance(item, dict)]


CORPUS = documents()


def spoilt(document: dict[str, Any], random: Random) -> Any:
    """Return a document that differs in a key, a value or a type."""
    found = json_mutated(document, random) if random.randrange(3) else json.loads(json.dumps(document))
    for _ in range(random.choice((0, 1, 1, 2))):
        owners = list(mappings(found))
        if not owners:
            break
        owner = random.choice(owners)
        if random.randrange(2) and owner:
            owner[random.choice(list(owner))] = random.choice(WORDS)
        else:
            owner[random.choice(KEYS)] = random.choice((*WORDS, 1, 0, True, [], {}, ["SUCCESS"], {"max": 3}))
    return found


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from mappings(inner)


def cannot_be_said(item: Diagnostic) -> bool:
    """Tell what docs/editors.md lists as beyond a schema: the order of keys, and steps that name one another."""
    ordered = item.code == "OB201" and (item.help or "").startswith("put ")
    return ordered or "is no earlier step" in item.message or "has no payload" in item.message


def agree(document: Any, tally: Counter[str]) -> None:
    """Hold the schema and the shape check to one verdict on a document."""
    text = json.dumps(document).encode()
    for tree in load(Source("x", "shop", text)).value:
        value = plain(tree)
        wrong = [item for item in check_shape(tree).diagnostics if item.severity == "error"]
        accepted = LANGUAGE.is_valid(value)
        tally["accepted" if accepted else "refused"] += 1
        if not accepted:
            assert wrong, f"refused by the schema alone: {text.decode()}"
        elif wrong and isinstance(value, dict) and next(iter(value)) == told_by_schema(value):
            assert all(cannot_be_said(item) for item in wrong), f"{wrong} passes the schema: {text.decode()}"


def told_by_schema(document: dict[str, Any]) -> str | None:
    """Return the kind that the schema takes a document for: a key that another kind may have for its own comes last."""
    order = ("test", "workflow", *SCHEMAS)
    return next((kind for kind in order if kind in document), None)


def test_it_is_a_schema_and_knows_every_kind() -> None:
    Draft202012Validator.check_schema(language_schema())
    for kind, text in SOUND.items():
        (tree,) = load(Source("x", "shop", text.encode())).value
        assert kind_of(tuple(plain(tree))) == kind  # type: ignore[arg-type]
        assert LANGUAGE.is_valid(plain(tree)), [error.message for error in LANGUAGE.iter_errors(plain(tree))]
    assert not LANGUAGE.is_valid({"summary": "Nothing."})
    assert not LANGUAGE.is_valid([])


def test_every_role_of_a_name_is_one_of_the_language() -> None:
    """Names are told by the titles of schemas: one that is worded anew must be so in both places."""
    titles = {found["title"] for schema in SCHEMAS.values() for found in mappings(schema) if "title" in found}
    assert set(ROLES) - {title for title in titles if isinstance(title, str)} == set()
    uses = {title for title in titles if isinstance(title, str) and title.startswith("the address of ")}
    assert uses <= set(ROLES)


def test_every_document_of_the_corpus_is_judged_alike() -> None:
    tally: Counter[str] = Counter()
    for document in CORPUS:
        agree(document, tally)
    assert tally["accepted"] > 150 and tally["refused"] > 20


@pytest.mark.parametrize("seed", range(6))
def test_spoilt_documents_are_judged_alike(seed: int) -> None:
    random, tally = Random(seed), Counter[str]()
    for _ in range(400):
        agree(spoilt(random.choice(CORPUS), random), tally)
    assert min(tally["accepted"], tally["refused"]) > 50, tally


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(made=workspaces())
def test_generated_documents_are_judged_alike(made: Workspace) -> None:
    random, tally = Random(len(made.source)), Counter[str]()
    for document in made.documents:
        agree(document, tally)
        agree(spoilt(document, random), tally)


BODY = """
workflow: WF_NEW_V0
summary: New.
intent: IN_ORDER_V0
start: price
fault: failed
nodes:
  price: {use: CT_PRICE_V0, with: {item: $.payload.item, quantity: 1}, next: {SUCCESS: keep, UNKNOWN: failed}}
  keep: {use: CS_REGISTRY_V0.REGISTER, store: ST_ORDERS_V0, with: {key: a, value: {item: a, cents: 1}},
         next: {SUCCESS: done, ALREADY_EXISTS: done}}
exits: {done: {status: COMPLETED}, failed: {status: FAILED}}
"""
NAMES = ("price", "prise", "done", "dnoe", "keep", "SUCCESS", "UNKNOWN", "SUCESS", "ST_ORDERS_V0", "shop::ST_ORDERS_V0",
         "ST_ORDER_V0", "std::CS_REGISTRY_V0.REGISTER", "CS_REGISTRY_V0.PUT", "CT_PRICE_V0", "shop::CT_PRICE_V0",
         "CT_PRIZE_V0", "IN_ORDER_V0", "IN_OTHER_V0", "rejected", "fresh")  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_what_the_schema_of_a_project_refuses_the_compiler_refuses(seed: int, tmp_path: Path) -> None:
    """The names of a workflow are exchanged at random; the schema is made of what stands then."""
    place = tmp_path / "shop"
    shutil.copytree(PRELUDE, place, ignore=shutil.ignore_patterns("__pycache__"))
    file = place / "protocols" / "shop" / "new.yaml"
    (tree,) = load(Source("x", "shop", BODY.encode())).value
    random, tally = Random(seed), Counter[str]()
    for _ in range(14):
        document: Any = plain(tree)
        spots = [(owner, key) for owner in mappings(document) for key, value in owner.items() if value in NAMES]
        for owner, key in random.sample(spots, random.choice((0, 1, 1, 2))):
            owner[key] = random.choice(NAMES)
        file.write_text(json.dumps(document))
        sources = [Source("x", "shop", path.read_bytes()) for path in sorted((place / "protocols").rglob("*.yaml"))]
        sources += [Source("x", "std", path.read_bytes()) for path in sorted((ROOT / "protocols/std").glob("*.yaml"))]
        schema = project_schema(names_of(sources).value)
        compiled = compile_workspace(str(place), shipped=shipped_root())
        if Draft202012Validator(schema).is_valid(document):
            tally["accepted"] += 1
        else:
            tally["refused"] += 1
            assert has_errors(compiled.diagnostics), document
        if not has_errors(compiled.diagnostics):
            tally["compiled"] += 1
    assert tally["refused"] > 2 and tally["accepted"] > 2 and tally["compiled"], tally


def test_the_project_schema_lists_what_is_declared(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--project", "--json", "--workspace", str(PRELUDE)]) == 0
    made = json.loads(capfd.readouterr().out)
    assert made["project"] is True and made["schema"] == "omnibachi.schema/1"
    workflow = made["language"]["$defs"]["workflow"]["properties"]
    assert "shop::IN_ORDER_V0" in workflow["intent"]["enum"] and "IN_ORDER_V0" in workflow["intent"]["enum"]
    assert workflow["nodes"]["propertyNames"].keys() & {"enum"} == set(), "a node may be new"
    node = workflow["nodes"]["additionalProperties"]["properties"]
    assert {"CS_REGISTRY_V0.REGISTER", "std::CS_REGISTRY_V0.REGISTER"} <= set(node["use"]["enum"])
    assert "ST_ORDERS_V0" in node["store"]["enum"]
    assert "outcome" in node["decide"]["items"]["properties"]
    assert "enum" not in node["decide"]["items"]["properties"]["outcome"], "a row names an outcome anew"


def test_it_prints_and_writes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capfd.readouterr().out) == language_schema()
    file = tmp_path / "language.json"
    assert main(["schema", "--output", str(file)]) == 0
    said = capfd.readouterr().out
    assert json.loads(file.read_text("utf-8")) == language_schema()
    assert f"# yaml-language-server: $schema={file}" in said
    assert main(["schema", "--output", str(tmp_path / "no" / "such" / "folder.json")]) == 6
    assert "OB753" in capfd.readouterr().err
    assert main(["schema", "--help"]) == 0
    assert "# yaml-language-server: $schema=" in capfd.readouterr().out


def test_a_source_that_cannot_be_read_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Its names would be missing, and every use of them be refused."""
    (tmp_path / "protocols" / "shop").mkdir(parents=True)
    (tmp_path / "protocols" / "shop" / "domain.yaml").write_text("domain: {shop\n")
    assert main(["schema", "--project", "--workspace", str(tmp_path), "--json"]) == 3
    found = json.loads(capfd.readouterr().out)
    assert [item["code"] for item in found["diagnostics"]] == ["OB104"]
    assert main(["schema", "--workspace", str(tmp_path)]) == 0, "the language itself needs no source"
