"""Fixes: what is certain is mended, what is not stays, and everything else of a text is left as it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from front_door import Call, call, workspace
from omnibachi.compiling import compile_workspace
from omnibachi.mending import mend
from omnibachi.workspace import shipped_root
from omnibachi_model.diagnostics import Diagnostic, Fix, Span
from omnibachi_model.nearest import only_nearest, only_nearest_address
from thoroughness import many

__all__ = ["call", "workspace"]

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "protocols/greeting/greet.yaml"


@pytest.fixture
def source(workspace: Path) -> Path:
    return workspace / SOURCE


def spoil(place: Path, *pairs: tuple[str, str]) -> str:
    """Replace texts in a file, each once; return what it held."""
    before = place.read_text()
    text = before
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    place.write_text(text)
    return before


CERTAIN = {
    "a use": ("use: CT_GREETING_V0", "use: CT_GREETNG_V0"),
    "an operation": ("CS_REGISTRY_V0.REGISTER", "CS_REGISTRY_V0.REGISTR"),
    "a side effect": ("CS_REGISTRY_V0.REGISTER", "CS_REGISTR_V0.REGISTER"),
    "an intent": ("intent: IN_GREET_V0\nstart", "intent: IN_GRET_V0\nstart"),
    "a store": ("store: ST_GREETINGS_V0\n    with", "store: 'ST_GREETING_V0'\n    with"),
    "a governor": ("governed_by: CS_REGISTRY_V0", "governed_by: CS_REGSTRY_V0"),
    "a target": ("SUCCESS: remember", "SUCCESS: rember"),
    "a start": ("start: words", "start: word"),
    "a fault": ("fault: failed", "fault: faild"),
    "an outcome": ("UNKNOWN_LANGUAGE: refused}", "UNKNOWN_LANGAGE: refused}"),
    "a key of a document": ("summary: Word", "sumary: Word"),
    "a key of a node": ("next: {SUCCESS: remember", "nxt: {SUCCESS: remember"),
    "a kind": ("store: ST_GREETINGS_V0\nsummary", "stor: ST_GREETINGS_V0\nsummary"),
    "a status": ("status: REJECTED", "status: REJECTD"),
    "a keyword": ("minLength: 1", "minLenght: 1"),
    "a type": ("{type: string, default: en}", "{type: strng, default: en}"),
    "a node in a path": ("value: {text: $.nodes.words.text}", "value: {text: $.nodes.wrds.text}"),
    "a field in a path": ("value: {text: $.nodes.words.text}", "value: {text: $.nodes.words.txt}"),
    "a member of the payload": ("language: $.payload.language", "language: $.payload.langage"),
    "a scope": ("name: $.payload.name", "name: $.paylod.name"),
    "an input": ("with: {name: $.payload.name", "with: {nam: $.payload.name"),
}


@pytest.mark.parametrize("what", CERTAIN)
def test_what_is_misspelt_is_mended_to_the_byte(call: Call, source: Path, what: str) -> None:
    old, new = CERTAIN[what]
    before = spoil(source, (old, new))
    found = call("compile", "--json").json()
    assert any("fix" in item for item in found["diagnostics"]), found["diagnostics"]
    said = call("compile", "--fix")
    assert said.status == 0, said.err
    assert source.read_text().replace("'ST_GREETINGS_V0'", "ST_GREETINGS_V0") == before
    assert said.out.startswith(f"fixed: {SOURCE}:") and "sealed: 1 workflow" in said.out


NEEDLESS = {
    "an event in flow style": ("with: {name: $.payload.name, language: $.payload.language}", None, "event"),
    "a route": ("UNKNOWN_LANGUAGE: refused}", "UNKNOWN_LANGUAGE: refused, NOTHING_OF_THE_KIND: failed}", "NOTHING"),
    "a route in front": (
        "{SUCCESS: greeted, ALREADY",
        "{NOTHING_OF_THE_KIND: failed, SUCCESS: greeted, ALREADY",
        "NOTH",
    ),
    "a store": ("    use: CT_GREETING_V0\n", "    use: CT_GREETING_V0\n    store: ST_GREETINGS_V0\n", "store"),
}


@pytest.mark.parametrize("what", NEEDLESS)
def test_what_is_not_needed_is_removed(call: Call, source: Path, what: str) -> None:
    old, new, _ = NEEDLESS[what]
    if new is None:
        words = old.removeprefix("with: ")
        before = spoil(source, (f"    use: CT_GREETING_V0\n    {old}\n    next: ", "    _: "))
        source.write_text(before)
        one = f"{{use: CT_GREETING_V0, with: {words}, store: ST_GREETINGS_V0,"
        spoil(source, (f"  words:\n    use: CT_GREETING_V0\n    {old}\n    next: ", f"  words: {one} next: "),
              ("UNKNOWN_LANGUAGE: refused}\n", "UNKNOWN_LANGUAGE: refused}}\n"))  # fmt: skip
        wanted = source.read_text().replace(" store: ST_GREETINGS_V0,", "", 1)
    else:
        wanted = spoil(source, (old, new))
    said = call("compile", "--fix", "--json").json()
    assert said["ok"], said["diagnostics"]
    assert source.read_text() == wanted
    assert [item["says"].split(" ")[0] for item in said["fixed"]] == ["remove"]


@pytest.mark.parametrize("line", ["    store: ST_GREETINGS_V0\n", "    event: 'EV_NOTHING_V0'\n"])
def test_a_decision_takes_no_store(call: Call, source: Path, line: str) -> None:
    node = "  kind:\n    decide: [{outcome: SUCCESS}]\n    next: {SUCCESS: words}\n"
    spoil(source, ("start: words", "start: kind"), ("nodes:\n", "nodes:\n" + node))
    wanted = spoil(source, ("    decide:", line + "    decide:"))
    assert call("compile", "--fix").status == 0
    assert source.read_text() == wanted


def test_a_domain_is_called_as_its_folder(call: Call, workspace: Path) -> None:
    before = spoil(workspace / "protocols/greeting/domain.yaml", ("domain: greeting", 'domain: "greetings"  # named'))
    said = call("compile", "--fix")
    assert said.status == 0, said.err
    assert (workspace / "protocols/greeting/domain.yaml").read_text() == before.replace(
        "domain: greeting", 'domain: "greeting"  # named'
    )


def test_many_at_once_and_what_they_hid(call: Call, source: Path) -> None:
    pairs = [CERTAIN[what] for what in ("a use", "a target", "an outcome", "a keyword", "a node in a path", "a kind")]
    before = spoil(source, *pairs)
    assert call("compile", "--fix").status == 0
    assert source.read_text() == before


def test_what_is_not_certain_is_left(call: Call, source: Path) -> None:
    """Two names as near, none near, or one that would break something else."""
    spoil(
        source,
        ("  again: {", "  greeter: {status: COMPLETED}\n  again: {"),
        ("SUCCESS: greeted, AL", "SUCCESS: greetex, AL"),
    )
    text = source.read_text()
    said = call("compile", "--fix", "--json").json()
    assert (said["ok"], said["fixed"], source.read_text()) == (False, [], text)


def test_a_fix_that_does_not_mend_is_taken_back(call: Call, source: Path) -> None:
    """The misspelt outcome has one nearest name, which the node routes already: it would stand twice."""
    spoil(source, ("{SUCCESS: greeted, ALREADY", "{SUCCESS: greeted, SUCESS: again, ALREADY"))
    spoil(source, ("start: words", "start: wrds"))
    text = source.read_text()
    said = call("compile", "--fix", "--json").json()
    assert [item["says"] for item in said["fixed"]] == ["write `words` for `wrds`"]
    assert source.read_text() == text.replace("start: wrds", "start: words")
    assert [item["code"] for item in said["diagnostics"]] == ["OB502"]


def test_check_and_fix_contradict(call: Call, workspace: Path) -> None:
    assert call("compile", "--check", "--fix").status == 2
    clean = call("compile", "--fix", "--json").json()
    assert clean["ok"] and clean["fixed"] == []
    assert "fixed" not in call("compile", "--json").json()


def test_windows_line_ends_and_characters_stay(call: Call, source: Path) -> None:
    spoil(source, ("# One", "# 𝄞é One"), ("SUCCESS: remember", "SUCCESS: rember"))
    source.write_bytes(source.read_bytes().replace(b"\n", b"\r\n"))
    wanted = source.read_bytes().replace(b"SUCCESS: rember", b"SUCCESS: remember")
    assert call("compile", "--fix").status == 0
    assert source.read_bytes() == wanted


def misspelt(folder: Path, seed: int) -> Iterator[tuple[Path, str]]:
    """Yield files with one word misspelt, one after the other."""
    random = Random(seed)
    places = sorted(folder.glob("protocols/**/*.yaml"))
    while True:
        place = random.choice(places)
        text = place.read_text("utf-8")
        words = [match.span() for match in re.finditer(r"[A-Za-z_]{4,}", text)]
        start, end = random.choice(words)
        at = random.randrange(start, end - 1)
        how = random.randrange(3)
        swapped = text[at + 1] + text[at]
        new = (text[at + 1 :], swapped + text[at + 2 :], text[at] + text[at:])[how]
        if text[:at] + new != text:
            yield place, text[:at] + new


@pytest.mark.parametrize("seed", range(2))
def test_over_misspelt_workspaces_no_fix_adds_a_finding(tmp_path: Path, seed: int) -> None:
    """Every fix takes its finding away and adds none; most of what is found with a fix is as it was before."""
    for base in (ROOT / "tests/cases/prelude", ROOT / "cli/omnibachi/templates/workspace"):
        for path in base.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                place = tmp_path / path.relative_to(base)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(path.read_bytes())
    restored = fixed = 0
    mutants = misspelt(tmp_path, seed)
    for _ in range(many(8, 40)):
        place, text = next(mutants)
        original = place.read_text("utf-8")
        place.write_text(text, "utf-8")
        before = _counted(compile_workspace(str(tmp_path), shipped=shipped_root()).diagnostics)
        found = mend(str(tmp_path), shipped_root())
        after = _counted(found.compilation.diagnostics)
        assert not after - before, (text, found.done)
        if found.done:
            fixed += 1
            assert sum((before - after).values()) >= len({words for _, words in found.done})
            path, data = next(iter(found.files.items()))
            assert path == str(place.relative_to(tmp_path))
            restored += data.decode() == original
        place.write_text(original, "utf-8")
    assert fixed >= 3 and restored >= fixed * 0.6, (fixed, restored)


def _counted(found: tuple[Diagnostic, ...]) -> Counter[tuple[str, str]]:
    return Counter((item.code, item.message) for item in found)


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("SUCESS", ("SUCCESS", "FAILED"), "SUCCESS"),
        ("greetex", ("greeted", "greeter"), None),
        ("greete", ("greeted", "greeter", "greet"), None),
        ("x", (), None),
        ("rember", ("remember", "member"), "member"),
        ("abc", ("ABC", "abd"), "ABC"),
    ],
)
def test_the_only_nearest(name: str, known: tuple[str, ...], found: str | None) -> None:
    assert only_nearest(name, known) == found


def test_the_only_nearest_address() -> None:
    known = {"a::CT_PRICE_V0", "b::CT_PRICE_V0", "std::CT_DIGEST_V0"}
    assert only_nearest_address("CT_PRIC_V0", known) is None
    assert only_nearest_address("CT_DIGES_V0", known) == "std::CT_DIGEST_V0"
    assert only_nearest_address("sd::CT_DIGEST_V0", known) == "std::CT_DIGEST_V0"
    assert only_nearest_address("CT_PRICE_V0", known - {"b::CT_PRICE_V0"}) == "a::CT_PRICE_V0"


def test_a_fix_shows_in_json_only_where_there_is_one() -> None:
    place = Span("a.yaml", 1, 2, 1, 3)
    plain = Diagnostic("OB305", "x", place)
    assert "fix" not in plain.as_json()
    fixed = plain.with_fix(Fix("write `b` for `a`", [(place, "b")])).as_warning()
    assert fixed.as_json()["fix"] == {
        "says": "write `b` for `a`",
        "edits": [{"file": "a.yaml", "line": 1, "column": 2, "end_line": 1, "end_column": 3, "text": "b"}],
    }
