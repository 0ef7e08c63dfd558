"""Renaming a node, everywhere it is named; what cannot be renamed for certain is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from half_written import BEGUN, CALLER, CONTRACT, PATH, PRELUDE, ROOT, compiled_with, done
from omnibachi.compiling import compile_workspace
from omnibachi.workspace import shipped_root
from omnibachi_compiler.editing.completion import complete
from omnibachi_compiler.editing.declaration import declarations
from omnibachi_compiler.editing.hover import hover
from omnibachi_compiler.editing.rename import Edit, rename
from omnibachi_compiler.editing.spots import Open, Project
from omnibachi_model.diagnostics import Diagnostic
from thoroughness import THOROUGH

PLAYED = """\
test: it looks
workflow: WF_NEW_V0
given: {answers: {"look/all[0]": {outcome: NOT_FOUND}, price: {outcome: SUCCESS, output: {cents: 1}}}}
steps:
  - payload: {item: a, quantity: 1}
    expect: {exit: done, path: [price SUCCESS, 'look/all[0] NOT_FOUND', "look/all FAILED", total SUCCESS]}
"""


def test_what_is_used_is_known_by_its_proof() -> None:
    """A contract is told with the types that were inferred, and its nodes are renamed in the scenarios of its users."""
    files = {PATH: CALLER, "protocols/shop/look.yaml": CONTRACT, "protocols/shop/new.test.yaml": PLAYED}
    project = Project(compiled_with(files).library, files)
    told = hover(project, Open(PATH, "shop", CALLER), CALLER.index("CC_LOOK"))
    assert told is not None and "- `FOUND`: `items` array" in told.text and "- `keys`: array" in told.text
    begun = CALLER.replace("FOUND: total", "")
    offers = complete(project, Open(PATH, "shop", begun), CALLER.index("FOUND: total"))
    assert [offer.label for offer in offers] == ["FOUND", "FAULT"]
    found = rename(project, Open("protocols/shop/look.yaml", "shop", CONTRACT), CONTRACT.index("  all:") + 3, "every")
    assert isinstance(found, dict) and set(found) == {"protocols/shop/look.yaml", "protocols/shop/new.test.yaml"}
    after = {path: done(text, found.get(path, [])) for path, text in files.items()}
    assert after["protocols/shop/new.test.yaml"] == PLAYED.replace("look/all", "look/every")
    assert not [item for item in compiled_with(after).diagnostics if item.code != "OB406"]


@pytest.mark.parametrize("root", [ROOT, PRELUDE], ids=["shipped", "prelude"])
def test_every_node_can_be_renamed(root: Path, tmp_path: Path) -> None:
    """And compiles as before, scenarios too; named as it was, the texts are what they were. Many are done at once.

    Of the shipped workspace every fifth graph is asked.
    """
    place = tmp_path / "here"
    for folder in ("protocols", "capabilities"):
        kept = root is PRELUDE or folder == "protocols"
        if kept:
            shutil.copytree(root / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__", "std"))
    if root is PRELUDE:
        (place / PATH).write_text(BEGUN, "utf-8")
        (place / "protocols/shop/look.yaml").write_text(CONTRACT, "utf-8")
    project = _compiled(place)
    before = dict(project.texts)
    bodies = list(project.library.bodies.items())[:: 1 if root is PRELUDE or THOROUGH else 9]
    left = [(address, at) for address, body in bodies for at in range(len(body.nodes[:2]))]
    many = len(left)
    renamed = 0
    while True:
        asked, edits = _together(project, left)
        if not asked:
            break
        renamed += len(asked)
        for path, text in before.items():
            (place / path).write_text(done(text, edits.get(path, [])), "utf-8")
        again = _compiled(place)
        back, undone = _together(again, [(address, at, project.library.bodies[address].nodes[at].name.text)
                                         for address, at in asked])  # fmt: skip
        assert len(back) == len(asked)
        assert {path: done(text, undone.get(path, [])) for path, text in again.texts.items()} == before
        left = [item for item in left if item not in asked]
    assert 2 * many < 3 * renamed <= 3 * many


def _compiled(place: Path) -> Project:
    """Compile a workspace without a finding; return it with its texts."""
    found = compile_workspace(str(place), shipped=shipped_root())
    assert not found.diagnostics
    paths = [str(path.relative_to(place)) for path in (place / "protocols").rglob("*.yaml")]
    return Project(found.library, {path: (place / path).read_text("utf-8") for path in paths})


def _together(project: Project, nodes: list[Any]) -> tuple[list[Any], dict[str, list[Edit]]]:
    """Rename nodes, (body, number, new name), each asked of the texts as they are, as long as no two change one place:
    those that were, and the edits."""
    asked: list[Any] = []
    edits: dict[str, list[Edit]] = {}
    for address, at, *named in nodes:
        name = project.library.bodies[address].nodes[at].name
        file = name.span.file
        opened = Open(file, file.split("/")[1], project.texts[file])
        offset = opened.places.offset(name.span.line, name.span.column)
        found = rename(project, opened, offset, *(named or [f"quite_new_{len(asked)}"]))
        if isinstance(found, Diagnostic):
            assert found.code == "OB774" and not named, (address, found)  # a law of several workflows names it in each
            continue
        places = {(path, edit.start, edit.end) for path, more in found.items() for edit in more}
        taken = [(path, edit.start, edit.end) for path, more in edits.items() for edit in more]
        if any(path == other and start < last and first < end
               for path, start, end in places for other, first, last in taken):  # fmt: skip
            continue
        asked.append((address, at))
        for path, more in found.items():
            edits.setdefault(path, []).extend(more)
    return asked, edits


def test_scenarios_and_laws_know_the_nodes_of_their_workflow() -> None:
    files = {PATH: CALLER, "protocols/shop/look.yaml": CONTRACT}
    project = Project(compiled_with(files).library, files)

    def offered(marked: str) -> list[str]:
        opened = Open(PATH, "shop", marked.replace("|", "", 1))
        return [offer.label for offer in complete(project, opened, marked.index("|"))]

    law = LAW.replace(", WF_OTHER_V0", "").replace("{node: look}", "{node: look, outcome: FOUND}")
    assert offered(law.replace("node: look", "node: |")) == ["price", "look", "total"]
    assert offered(law.replace("outcome: FOUND", "outcome: |")) == ["FOUND", "NONE"]
    course = "{passes: {node: [price, look], outcome: FOUND}, applies_to: {workflows: [WF_NEW_V0]}}"
    law = LAW.replace(", WF_OTHER_V0", "").replace("{passes: {node: look}, before: exit}", f"[{course}]")
    assert offered(law.replace("look]", "|]")) == ["price", "look", "total"]
    assert offered(law.replace("[price, look]", "look").replace("outcome: FOUND", "outcome: [|]")) == ["FOUND", "NONE"]
    assert offered(PLAYED.replace("outcome: SUCCESS", "outcome: |")) == ["SUCCESS", "UNKNOWN"]
    assert offered(PLAYED.replace("exit: done", "exit: |")) == ["done", "failed", "rejected"]
    # Who answers is the call inside, and not what is used or the loop.
    assert offered(PLAYED.replace("price: {", "|: {")) == ["price", "look/all[]"]
    assert offered(PLAYED.replace('"look/all[0]"', "|")) == ["look/all[]"]
    opened = Open(PATH, "shop", PLAYED.replace('"look/all[0]":', '"'))
    inserted = [offer.insert for offer in complete(project, opened, PLAYED.index('"look') + 1)]
    assert inserted == ['"price": ', '"look/all[]": ']
    assert "look NONE" in offered(PLAYED.replace("total SUCCESS", "|"))
    assert offered(LAW.replace("before: exit", "before: |")) == ["start", "exit"]
    opened = Open(PATH, "shop", PLAYED)
    (span,) = declarations(project, opened, PLAYED.index("look/all[0] NOT") + 2)
    assert (span.file, CONTRACT.split("\n")[span.line - 1]) == ("protocols/shop/look.yaml", "  all:")


LAW = """\
invariant: IV_LOOK_FIRST_V0
summary: Looks first.
applies_to: {workflows: [WF_NEW_V0, WF_OTHER_V0]}
every_path: {passes: {node: look}, before: exit}
"""


def test_names_that_cannot_be_are_refused() -> None:
    nobody = Project(compiled_with({}).library, {})

    def refused(text: str, at: str, new: str) -> str:
        found = rename(nobody, Open(PATH, "shop", text), text.index(at) + 1, new)
        assert isinstance(found, Diagnostic) and found.message and found.help
        return found.code

    assert refused(BEGUN, "done: {", "other") == "OB770"
    assert refused(BEGUN, "summary", "other") == "OB770"
    for name in ("Other", "", "a b", "1a", "rejected", "a" * 65):
        assert refused(BEGUN, "price: {", name) == "OB771"
    for name in ("look", "done", "price"):
        assert refused(BEGUN, "price: {", name) == "OB772"
    assert refused(BEGUN.replace("failed}}\n  look", "failed}\n  look"), "price: {", "other") == "OB773"
    for escape in ("\\u0070", "\\x70"):
        text = BEGUN.replace("$.nodes.price.cents", f'"$.nodes.{escape}rice.cents"')
        assert refused(text, "price: {", "other") == "OB773"
    other = BEGUN.replace("WF_NEW_V0", "WF_OTHER_V0")
    files = {PATH: BEGUN, "protocols/shop/other.yaml": other, "protocols/shop/law.yaml": LAW}
    both = Project(compiled_with(files).library, files)
    found = rename(both, Open(PATH, "shop", BEGUN), BEGUN.index("look: {"), "other")
    assert isinstance(found, Diagnostic) and found.code == "OB774"
    files["protocols/shop/law.yaml"] = LAW.replace(", WF_OTHER_V0", "")
    found = rename(Project(both.library, files), Open(PATH, "shop", BEGUN), BEGUN.index("look: {"), "other")
    assert isinstance(found, dict)
    law = files["protocols/shop/law.yaml"]
    assert done(law, found["protocols/shop/law.yaml"]) == law.replace("node: look", "node: other")
