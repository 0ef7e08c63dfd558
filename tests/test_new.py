"""`omnibachi new`: what it makes compiles and passes its test, many times over, and it never harms what is there."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from front_door import Call, call, workspace
from omnibachi.catalogue_line import NoPlace, fresh, with_entries

__all__ = ["call", "workspace"]

KINDS = ("workflow", "transform", "side-effect")


def files(folder: Path) -> dict[str, bytes]:
    """Return all files but the snapshot's, and the folders, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
        for path in sorted(folder.rglob("*"))
        if "protocol_snapshot" not in path.parts and "__pycache__" not in path.parts
    }


def test_several_after_each_other_pass_at_once(call: Call, workspace: Path) -> None:
    wanted = [*((kind, "refund") for kind in KINDS), ("transform", "CT_REFUND_V1"), ("side-effect", "import"),
              ("transform", "keep-up"), ("workflow", "greeting::WF_NEXT_V0")]  # fmt: skip
    for kind, name in wanted:
        made = call("new", kind, name, "--json")
        assert made.status == 0, made.out
        told = made.json()
        ran = call("run", "--wf", told["workflow"], "--payload", f"examples/{_example(told)}", "--no-picture", "--json")
        assert ran.json()["status"] == "COMPLETED", ran.out
    assert call("compile", "--check").status == 0
    assert call("fmt", "--check").status == 0
    tested = call("test")
    assert tested.status == 0, tested.out
    catalogue = (workspace / "capabilities/greeting/catalogue.py").read_text()
    ast.parse(catalogue)
    assert catalogue.count('"greeting::C') == 1 + 1 + 2 + 1 + 2 + 1


def _example(told: dict[str, list[str]]) -> str:
    return next(Path(path).name for path in told["files"] if path.startswith("examples/"))


def test_a_new_domain_and_an_empty_workspace(call: Call, tmp_path: Path) -> None:
    (tmp_path / "protocols").mkdir()
    refused = call("new", "workflow", "first")
    assert (refused.status, "OB767" in refused.err) == (3, True)
    for kind in KINDS:
        assert call("new", kind, "first", "--domain", "json").status == 0
    # A package must not hide one of Python's own.
    assert [path.name for path in (tmp_path / "capabilities").iterdir()] == ["json_capabilities"]
    assert call("new", "workflow", "second").status == 0
    assert call("test").status == 0
    assert call("new", "workflow", "third", "--domain", "other").status == 0
    several = call("new", "workflow", "fourth", "--json").json()
    assert several["diagnostics"][0]["code"] == "OB767" and "`json`, `other`" in several["diagnostics"][0]["message"]


def test_a_package_of_another_name_takes_the_line(call: Call, workspace: Path) -> None:
    """The package whose catalogue speaks of the domain; what else it holds is left as it is."""
    (workspace / "capabilities/greeting").rename(workspace / "capabilities/words")
    place = workspace / "capabilities/words/catalogue.py"
    text = "# Ours.\n" + place.read_text().replace(": greeting}", ": greeting,  # the first\n}") + "\n\nEND = True\n"
    place.write_text(text)
    assert call("compile").status == 0
    assert call("new", "transform", "price").status == 0
    grown = place.read_text().splitlines()
    added = ["from .price import price", '    "greeting::CT_PRICE_V0": price,']
    assert [line for line in grown if line not in added] == text.splitlines()
    assert [line for line in grown if line in added] == added
    assert call("test").status == 0


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_overwritten(call: Call, workspace: Path, kind: str) -> None:
    assert call("new", kind, "refund").status == 0
    before = files(workspace)
    again = call("new", kind, "refund")
    assert again.status == 3 and "OB764" in again.err
    assert files(workspace) == before


def test_an_address_that_stands_elsewhere_is_taken(call: Call, workspace: Path) -> None:
    (workspace / "protocols/greeting/own.yaml").write_text("intent: IN_REFUND_V0\npayload: {type: object}\n")
    before = files(workspace)
    said = call("new", "workflow", "refund")
    assert said.status == 3 and "`greeting::IN_REFUND_V0` is declared already" in said.err
    assert files(workspace) == before


def test_domains_may_call_things_alike(call: Call, workspace: Path) -> None:
    """Domains share the folder of examples, and a domain may be called as a package that is installed."""
    assert call("new", "workflow", "refund").status == 0
    for kind in KINDS:
        assert call("new", kind, "refund", "--domain", "omnibachi").status == 0
    assert (workspace / "examples/omnibachi_refund.json").is_file()
    assert [path.name for path in (workspace / "capabilities").iterdir() if "omnibachi" in path.name] == [
        "omnibachi_workspace"
    ]
    assert call("test").status == 0


@pytest.mark.parametrize(
    ("kind", "name", "more", "code"),
    [
        ("workflow", "Refund!", (), "OB765"),
        ("workflow", "../x", (), "OB765"),
        ("workflow", "", (), "OB765"),
        ("workflow", "CT_REFUND_V0", (), "OB765"),
        ("transform", "a" * 90, (), "OB765"),
        ("transform", "WF_" + "A" * 95 + "_V0", (), "OB765"),
        ("workflow", "x", ("--domain", "std"), "OB767"),
        ("workflow", "x", ("--domain", "../x"), "OB767"),
        ("workflow", "a::WF_X_V0", ("--domain", "b"), "OB765"),
    ],
)
def test_names_that_cannot_be(
    call: Call, workspace: Path, kind: str, name: str, more: tuple[str, ...], code: str
) -> None:
    before = files(workspace)
    said = call("new", kind, name, *more, "--json")
    assert (said.status, [item["code"] for item in said.json()["diagnostics"]]) == (3, [code])
    assert files(workspace) == before


def test_the_longest_names(call: Call, workspace: Path) -> None:
    for kind in KINDS:
        assert call("new", kind, "n" * 77).status == 0, kind


def test_a_workspace_that_does_not_compile_takes_nothing_new(call: Call, workspace: Path) -> None:
    (workspace / "protocols/greeting/half.yaml").write_text("workflow: WF_HALF_V0\n")
    before = files(workspace)
    said = call("new", "workflow", "refund", "--json").json()
    assert said["diagnostics"][0]["code"] == "OB768" and "OB203" in {item["code"] for item in said["diagnostics"]}
    assert files(workspace) == before


def test_a_catalogue_that_names_it_already_stays(call: Call, workspace: Path) -> None:
    place = workspace / "capabilities/greeting/catalogue.py"
    place.write_text(place.read_text().replace("CATALOGUE = {", 'CATALOGUE = {"greeting::CT_PRICE_V0": greeting, '))
    before = files(workspace)
    said = call("new", "transform", "price")
    assert said.status == 3 and "OB766" in said.err and "stands in it already" in said.err
    assert files(workspace) == before


def test_a_catalogue_that_the_compiler_refuses_stays(call: Call, workspace: Path) -> None:
    place = workspace / "capabilities/greeting/catalogue.py"
    place.write_text(place.read_text().replace("CATALOGUE = {", "CATALOGUE = {**{}, "))
    before = files(workspace)
    assert "OB768" in call("new", "transform", "price").err
    assert files(workspace) == before


def test_what_fails_in_the_middle_is_taken_back(call: Call, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnibachi.commands import new_command

    def full(root: str, sealed: object) -> None:
        raise OSError(28, "No space left on device")

    before = files(workspace)
    monkeypatch.setattr(new_command, "write_snapshot", full)
    said = call("new", "side-effect", "price", "--domain", "shop")
    assert said.status == 6 and "OB753" in said.err
    assert files(workspace) == before


CATALOGUES = [
    'from .words import greeting\n\nCATALOGUE = {"a::CT_A_V0": greeting}\n',
    '"""W."""\n\nCATALOGUE = {\n    "a::CT_A_V0": x.b,  # why, not\n    "b": (c)  # last)\n    # end\n}\n\nMORE = 1\n',
    "CATALOGUE: dict = {}",
    '# é\nCATALOGUE = {"é": a\n   , "b": b}\nprint(1)\n',
    "from . import shelf\nfrom .x import (\n    a,\n    b,\n)\n\nCATALOGUE = {\n}\n",
    'import json\r\n\r\nCATALOGUE = {\r\n    "a": json,\r\n}\r\n',
    'def shelf():\n    pass\n\n\nCATALOGUE = {"a": shelf}\n',
]


@pytest.mark.parametrize("text", CATALOGUES)
def test_a_line_in_a_catalogue_leaves_the_rest_as_it_is(text: str) -> None:
    grown = with_entries(text, ".", "shelf", {"d::CS_X_V0.KEEP": "{}.keep", "d::CS_X_V0.LOOK": "{}.look"})
    before, after = _entries(text), _entries(grown)
    assert list(after)[: len(before)] == list(before)
    name = "shelf_2" if "shelf" in text else "shelf"
    assert {key: value for key, value in after.items() if key not in before} == {
        "d::CS_X_V0.KEEP": f"{name}.keep",
        "d::CS_X_V0.LOOK": f"{name}.look",
    }
    for line in text.splitlines():
        if "CATALOGUE" not in line:
            assert line.split("#")[0].strip().rstrip("}").strip() in grown, line
    assert text.count("#") == grown.count("#") and ("\r" in text) == ("\r" in grown)
    assert grown.count("\n") == grown.count("\r\n") or "\r" not in text
    assert with_entries(grown, ".y", "y", {"e": "{}"}).count("y") > 0


def _entries(text: str) -> dict[str, str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Dict):
            return {
                ast.literal_eval(key): ast.unparse(value)
                for key, value in zip(node.keys, node.values, strict=True)
                if key
            }
    raise AssertionError("no mapping")


@pytest.mark.parametrize(
    "text", ["", "CATALOGUE = dict()", "CATALOGUE = {**a}", "x = {", "CATALOGUE = {'d': a}", "y = {}\x00"]
)
def test_a_catalogue_that_takes_no_line(text: str) -> None:
    with pytest.raises(NoPlace):
        with_entries(text, ".", "shelf", {"d": "{}"})


def test_a_fresh_catalogue() -> None:
    assert _entries(fresh(".x", "x", {"d::CT_X_V0": "{}"})) == {"d::CT_X_V0": "x"}


def test_the_templates_are_in_canonical_layout_and_hold_no_mark_that_is_not_filled(call: Call, workspace: Path) -> None:
    for kind in KINDS:
        assert (
            call(
                "new", kind, "WF_A_V3".replace("WF", {"workflow": "WF", "transform": "CT", "side-effect": "CS"}[kind])
            ).status
            == 0
        )
    for path, data in files(workspace).items():
        if "_v3" in path:
            assert b"@" not in data, path
            if path.endswith(".json"):
                json.loads(data)
