"""The canonical layout: nothing that is declared changes, no comment is lost, and formatting twice changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from front_door import Call, call, workspace
from generated import anything
from omnibachi.compiling import compile_workspace
from omnibachi.workspace import shipped_root
from omnibachi_compiler.formatting import format_source
from omnibachi_compiler.loader import load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.tree import plain
from relaid import Relaid
from test_soundness import compiled
from thoroughness import many
from workspaces import Workspace, workspaces

__all__ = ["call", "workspace"]

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```yaml.*?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def source(text: str | bytes) -> Source:
    return Source("protocols/shop/x.yaml", "shop", text.encode() if isinstance(text, str) else text)


def formatted(text: str | bytes) -> str:
    phase = format_source(source(text))
    assert not phase.diagnostics, phase.diagnostics
    return phase.value.decode()


def values(text: str | bytes) -> list[Any]:
    phase = load(source(text))
    assert not phase.diagnostics, (phase.diagnostics, text)
    return [plain(tree) for tree in phase.value]


def ordered(value: Any) -> str:
    """Write values so that the order of keys counts where an author chose them, and types do."""
    return json.dumps(value, sort_keys=True)


def texts() -> Iterator[bytes]:
    for path in sorted((ROOT / "protocols").rglob("*.yaml")):
        yield path.read_bytes()
    for path in sorted((ROOT / "cli/omnibachi/templates").rglob("*.yaml")):
        yield path.read_bytes()
    for path in [*sorted((ROOT / "tests/cases").glob("*.md")), ROOT / "docs/language.md"]:
        for block in BLOCK.findall(path.read_text("utf-8")):
            if not load(source(block)).diagnostics:
                yield block.encode()


CORPUS = list(texts())


def test_the_corpus_keeps_its_values_and_comments_and_stays_as_it_is_then() -> None:
    assert len(CORPUS) > 150
    for text in CORPUS:
        once = formatted(text)
        assert ordered(values(once)) == ordered(values(text))
        assert formatted(once) == once
        assert all(len(line) <= 120 or " " in line.strip() for line in once.splitlines())


@pytest.mark.parametrize("seed", range(many(8, 60)))
def test_any_layout_of_the_corpus_keeps_values_and_comments(seed: int) -> None:
    random = Random(seed)
    for text in random.sample(CORPUS, 6):
        documents = values(text)
        written = Relaid(random)
        laid = written.text(documents)
        assert ordered(values(laid)) == ordered(documents), laid
        once = formatted(laid)
        assert ordered(values(once)) == ordered(documents)
        assert sorted(re.findall(r"# \d+\S?(?: a: b| - x| 'y| \{z)?$", once, re.M)) == sorted(written.comments), laid
        assert formatted(once) == once, laid
        assert "\n\n\n" not in once or "\n\n\n" in "".join(map(str, _strings(documents)))


@given(st.lists(anything, min_size=1, max_size=3), st.integers(0, 10**6))
@settings(max_examples=150, deadline=None)
def test_any_values_in_any_layout(documents: list[Any], seed: int) -> None:
    laid = Relaid(Random(seed)).text(documents)
    if load(source(laid)).diagnostics:
        return
    once = formatted(laid)
    assert ordered(values(once)) == ordered(values(laid))
    assert formatted(once) == once


@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=30), st.sampled_from("|>'\"p"), st.integers(0, 6))
@settings(max_examples=300, deadline=None)
@example("\xa0", ">", 0)
def test_any_text_in_any_style(text: str, style: str, indent: int) -> None:
    """Whatever the loader takes is kept: block scalars with their indicators, folded lines, escapes."""
    lines = "\n".join("   " + line for line in text.split("\n"))
    written = {
        "|": f"k:\n  - |{indent or ''}\n{lines}\n",
        ">": f"k: >+\n{lines}\n\nl: 1",
        "'": f"k: '{text.replace(chr(39), chr(39) * 2)}'",
        '"': f"k: {json.dumps(text)}",
        "p": f"k: [{text}]",
    }[style]
    if load(source(written)).diagnostics:
        return
    once = formatted(written)
    assert values(once) == values(written)
    assert formatted(once) == once


@given(workspaces(), st.integers(0, 10**6))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_generated_workspaces_keep_their_values_and_digests(made: Workspace, seed: int) -> None:
    laid = Relaid(Random(seed)).text(made.documents)
    assert ordered(values(formatted(laid))) == ordered(made.documents) == ordered(values(formatted(made.source)))
    before = compiled(made.source, made.answers).sealed
    after = compiled(formatted(laid).encode(), made.answers).sealed
    assert (before is None) is (after is None)
    if before is not None and after is not None:
        name = "shop/WF_TEST_V0.json"
        assert before.files[name] == after.files[name]


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(text for inner in value.values() for text in _strings(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return [value] if isinstance(value, str) else []


BEFORE = """\


# about the file
workflow:   'WF_X_V0'   # its name
nodes:
    # the first
    a:
        next: {SUCCESS: b,   "FAULT": c}
        with: {text: "a: b", plain: "a word", day: "2026-01-01", no: "NO",
               one: "1"}   # data
        use: CT_X_V0



    b:
      compute: {x: "1 + 1", y: [1, 2,
         # between
         3]}
      # at the end of b
    # at the end of nodes
exits:
- x
summary: >-
    folded
    text
limits: {}   # none
# at the end of the first
---

store:   ST_X_V0
"""
AFTER = """\
# about the file
workflow: WF_X_V0  # its name
summary: >-
  folded
  text
nodes:
  # the first
  a:
    use: CT_X_V0
    with: {text: "a: b", plain: a word, day: "2026-01-01", no: "NO", one: "1"}  # data
    next: {SUCCESS: b, FAULT: c}

  b:
    compute:
      x: 1 + 1
      y:
        - 1
        - 2
        # between
        - 3
    # at the end of b
  # at the end of nodes
exits:
  - x
limits: {}  # none
# at the end of the first
---

store: ST_X_V0
"""


def test_the_canonical_form() -> None:
    assert formatted(BEFORE) == AFTER
    assert formatted(AFTER) == AFTER
    assert formatted(BEFORE.replace("\n", "\r\n")) == AFTER


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: {}", "a: {}\n"),
        ("'a b'", "a b\n"),
        ("- - 1\n  - [2]\n- {a: 1}", "- - 1\n  - [2]\n- {a: 1}\n"),
        ("-\n  # one\n  a: 1 # two\n  b: 2", "# one\n- a: 1  # two\n  b: 2\n"),
        ("a: # one\n  # two\n  'x'", "# two\na: x  # one\n"),
        ("{a: 1, # one\n b: 2}", "a: 1  # one\nb: 2\n"),
        ("a: |2-\n    two\n   one\n\n\nb: 1", "a: |2-\n    two\n   one\n\nb: 1\n"),
        ("a: |+ # keep\n  x\n\n\nb: 1", "a: |+  # keep\n  x\n\n\nb: 1\n"),
        ("a: 'it''s'\nb: \"\\\"\"\nc: '\\d'", "a: \"it's\"\nb: '\"'\nc: '\\d'\n"),
        (" ---", '"---"\n'),
        (" --- b: 1", '"--- b": 1\n'),
        ("a: [b: 1, {c: 2}]", "a: [{b: 1}, {c: 2}]\n"),
        ("a: x\n  y\n\n  z", 'a: "x y\\nz"\n'),
        ('a: 1.0\nb: 1e3\nc: ~\nd: "~"', 'a: 1.0\nb: 1e3\nc: ~\nd: "~"\n'),
    ],
)
def test_small_forms(before: str, after: str) -> None:
    assert formatted(before) == after
    assert formatted(after) == after


def test_a_line_holds_120_characters() -> None:
    words = " ".join(["word"] * 30)
    assert formatted(f"a: {words}") == f"a: {words}\n", "a text on one line is not broken"
    folded = formatted(f"a: {words}\n  {words}")
    assert max(map(len, folded.splitlines())) <= 120 and values(folded) == [{"a": f"{words} {words}"}]
    fits = "a: {" + "b: " + "x" * 112 + "}"
    assert formatted(fits) == fits + "\n"
    assert formatted(fits.replace("x}", "xx}")) == "a:\n  b: " + "x" * 113 + "\n"


def test_the_workflows_stay_the_same(tmp_path: Path) -> None:
    """The proof that counts: a workspace in another layout seals the same workflows."""
    import shutil

    shutil.copytree(ROOT / "tests/cases/prelude", tmp_path, dirs_exist_ok=True)
    for path in (ROOT / "protocols/blockchain").rglob("*.yaml"):
        place = tmp_path / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(path.read_bytes())
    before = compile_workspace(str(tmp_path), shipped=shipped_root()).sealed
    assert before is not None
    for seed, path in enumerate(sorted(tmp_path.rglob("*.yaml"))):
        laid = Relaid(Random(seed)).text(values(path.read_bytes()))
        path.write_text(formatted(laid), encoding="utf-8")
    after = compile_workspace(str(tmp_path), shipped=shipped_root()).sealed
    assert after is not None
    workflows = [
        {name: data for name, data in sealed.files.items() if "WF_" in name and "origins" not in name}
        for sealed in (before, after)
    ]
    assert workflows[0] == workflows[1] and len(workflows[0]) >= 2


UGLY = "store:   ST_UGLY_V0   # kept\ngoverned_by: 'CS_REGISTRY_V0'\n"
CLEAN = "store: ST_UGLY_V0  # kept\ngoverned_by: CS_REGISTRY_V0\n"


def test_the_command_writes_what_changes_and_nothing_else(call: Call, workspace: Path) -> None:
    assert call("fmt", "--check").status == 0
    place = workspace / "protocols/greeting/ugly.yaml"
    place.write_text(UGLY)
    place.chmod(0o640)
    checked = call("fmt", "--check")
    assert (checked.status, checked.out) == (1, "would change: protocols/greeting/ugly.yaml\n")
    assert place.read_text() == UGLY
    done = call("fmt", "--json").json()
    assert (done["ok"], done["changed"], done["files"], done["written"]) == (
        True,
        ["protocols/greeting/ugly.yaml"],
        4,
        True,
    )
    assert place.read_text() == CLEAN and place.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in place.parent.iterdir() if path.name.startswith(".")] == []
    assert call("fmt").out == "4 files in canonical layout\n"
    assert call("compile").status == 0


def test_files_and_folders_may_be_named_and_links_stay(call: Call, workspace: Path) -> None:
    (workspace / "elsewhere").mkdir()
    (workspace / "elsewhere/a.yaml").write_text(UGLY)
    (workspace / "b.yaml").symlink_to("elsewhere/a.yaml")
    assert call("fmt", "b.yaml").out == "changed: b.yaml\n"
    assert (workspace / "b.yaml").is_symlink() and (workspace / "elsewhere/a.yaml").read_text() == CLEAN
    (workspace / "elsewhere/a.yaml").write_text(UGLY)
    assert call("fmt", "elsewhere").out == "changed: elsewhere/a.yaml\n"


def test_what_is_not_understood_is_left_alone_and_told(call: Call, workspace: Path) -> None:
    bad = workspace / "protocols/greeting/bad.yaml"
    bad.write_text("a:   &x 1\n")
    ugly = workspace / "protocols/greeting/ugly.yaml"
    ugly.write_text(UGLY)
    said = call("fmt")
    assert said.status == 3 and "OB106" in said.err and "changed: protocols/greeting/ugly.yaml" in said.out
    assert bad.read_text() == "a:   &x 1\n" and ugly.read_text() == CLEAN
    missing = call("fmt", "no-such-file.yaml", "--json").json()
    assert (missing["exit_code"], missing["diagnostics"][0]["code"]) == (3, "OB101")
    assert call("fmt", "/dev/null").status == 3


def test_only_sources_are_formatted(call: Call, workspace: Path) -> None:
    other = workspace / "users.txt"
    other.write_text("ann:1:/home\nbob:2:/home\n")
    said = call("fmt", "users.txt", "protocols")
    assert said.status == 3 and "it is no source; those end in `.yaml` or `.yml`" in said.err
    assert other.read_text() == "ann:1:/home\nbob:2:/home\n"


def test_the_page_shows_the_canonical_layout() -> None:
    blocks = BLOCK.findall((ROOT / "docs/formatting.md").read_text("utf-8"))
    assert blocks and all(formatted(block) == block for block in blocks)
