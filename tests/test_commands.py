"""The commands, called as the front door calls them: what they print, where, and with which exit status."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from front_door import GREET, STORE, Call, Said, call, greet, workspace
from omnibachi.commands import COMMANDS
from omnibachi_ledger import SCHEMA_VERSION
from omnibachi_model.codes import table

__all__ = ["call", "workspace"]


def test_help_lists_every_command_and_each_has_an_example(call: Call) -> None:
    told = call("--help")
    assert told.status == 0
    assert told.err == ""
    for name in COMMANDS:
        assert f"\n  {name} " in told.out
        page = call(name, "--help")
        assert page.status == 0, page.err
        assert "Example:" in page.out
        assert "omnibachi " + name in page.out
    for pair in (("data", "ls"), ("data", "show"), ("data", "export"), ("traces", "ls"), ("traces", "show")):
        page = call(*pair, "--help")
        assert "Example:" in page.out
        for option in ("--json", "--workspace", "--data-root", "[default: "):
            assert option in page.out


def test_nothing_at_all_is_help(call: Call) -> None:
    assert call() == call("--help")
    bare = call("data")
    assert bare.status == 2
    assert "Usage: omnibachi data" in bare.err


def test_version_names_program_and_formats(call: Call) -> None:
    told = call("--version")
    program, formats, schema = told.out.splitlines()
    assert program == "omnibachi 0.1.0"
    names = ("snapshot", "workflow", "domain", "origins", "seed")
    assert formats.split() == ["formats", *(f"omnibachi.{name}/1" for name in names)]
    assert schema == f"schema of the database {SCHEMA_VERSION}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("shw",), "no command is called `shw`; did you mean `show`?"),
        (("compile", "--chek"), "no such option `--chek`; did you mean `--check`"),
        (("explain",), "missing argument"),
        (("show", "x", "--format", "gif"), "invalid value for `--format`: `gif` is not one of"),
        (("traces", "ls", "--limit", "0"), "invalid value for `--limit`"),
        (("data", "drop"), "no such command `drop`"),
        (("serve", "gatewy"), "no such command `gatewy`; did you mean `gateway`?"),
    ],
)
def test_a_wrong_command_line_is_one_message(call: Call, arguments: tuple[str, ...], message: str) -> None:
    said = call(*arguments)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("error[OB752] command-line: ")
    assert message in said.err
    found = call(*arguments, "--json").json()
    assert (found["ok"], found["exit_code"], found["diagnostics"][0]["code"]) == (False, 2, "OB752")


def test_init_makes_a_workspace_that_compiles_and_passes(call: Call, workspace: Path) -> None:
    assert call("compile", "--check").status == 0
    tested = call("test")
    assert tested.status == 0, tested.out
    assert "nodes 2 of 2, outcomes 4 of 4" in tested.out
    ran = greet(call, "T1", "--json").json()
    assert (ran["exit"], ran["result"]) == ("greeted", {"text": "Bonjour, World!"})
    assert (workspace / ".gitignore").read_text().startswith("/data/")


def test_init_leaves_nothing_where_it_cannot_make_all(call: Call, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("x")
    (tmp_path / "taken").write_text("x")
    for name in ("full", "taken"):
        said = call("init", name)
        assert said.status == 3
        assert "error[OB750]" in said.err
    if os.geteuid() == 0:
        said = call("init", "/proc/mine")
    else:
        (tmp_path / "closed").mkdir(mode=0o500)
        said = call("init", "closed/mine")
    assert said.status == 6
    assert "error[OB753]" in said.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "closed") == ["full", "taken"]
    (tmp_path / "empty").mkdir()
    assert call("init", "empty").status == 0
    assert "\n  cd 'two words'\n" in call("init", "two words").out


def test_compile_shows_all_findings_and_writes_nothing(call: Call, workspace: Path) -> None:
    manifest = workspace / "protocol_snapshot/manifest.json"
    before = manifest.read_bytes()
    source = workspace / "protocols/greeting/greet.yaml"
    source.write_text(source.read_text().replace("ST_GREETINGS_V0\n    with", "ST_GRETINGS_V0\n    with"))
    said = call("compile")
    assert (said.status, said.out) == (3, "")
    assert "error[OB303] unknown-store" in said.err
    assert "help: did you mean `ST_GREETINGS_V0`?" in said.err or "greeting::ST_GREETINGS_V0" in said.err
    assert "protocols/greeting/greet.yaml:14" in said.err
    found = call("compile", "--json").json()
    assert (found["schema"], found["ok"], found["seal"]) == ("omnibachi.compile/1", False, None)
    assert found["diagnostics"][0]["code"] == "OB303"
    assert manifest.read_bytes() == before


def test_compile_check_finds_a_stale_snapshot(call: Call, workspace: Path) -> None:
    source = workspace / "protocols/greeting/greet.yaml"
    source.write_text(source.read_text().replace("maxLength: 100", "maxLength: 99"))
    stale = call("compile", "--check")
    assert (stale.status, stale.out) == (4, "")
    assert "error[OB607] snapshot-stale" in stale.err
    sealed = call("compile", "--json").json()
    assert (sealed["ok"], sealed["workflows"]) == (True, [GREET])
    assert call("compile", "--check", "--json").json()["seal"] == sealed["seal"]


def test_a_folder_that_is_no_workspace_is_named(call: Call, tmp_path: Path) -> None:
    for arguments in (("compile",), ("test",), ("show",), ("data", "ls")):
        said = call(*arguments, "--workspace", str(tmp_path))
        assert said.status == 3
        assert "error[OB751]" in said.err


def test_outside_a_workspace_what_ships_is_looked_at_and_never_sealed_anew(call: Call) -> None:
    assert call("compile", "--check").status == 0
    said = call("compile")
    assert (said.status, said.out) == (3, "")
    assert "error[OB751]" in said.err and "what ships in" in said.err


def test_test_fails_with_the_place(call: Call, workspace: Path) -> None:
    scenario = workspace / "protocols/greeting/greet.test.yaml"
    scenario.write_text(scenario.read_text().replace("exit: greeted", "exit: again", 1))
    said = call("test")
    assert said.status == 1
    assert "FAILED  protocols/greeting/greet.test.yaml:1" in said.out
    assert "error[OB743] scenario-failed: step 1: the exit is `greeted`, expected `again`" in said.err
    assert "help: the run took: words SUCCESS, remember SUCCESS" in said.err
    found = call("test", "--json").json()
    assert (found["schema"], found["ok"], found["exit_code"]) == ("omnibachi.test/1", False, 1)
    assert [item["ok"] for item in found["scenarios"]] == [False, True]
    assert found["scenarios"][0]["failures"][0]["line"] == 6
    assert found["coverage"]["nodes"] == [2, 2]
    assert call("test", "unknown language").status == 0
    assert call("test", "no scenario is called so").status == 2


def test_test_does_not_run_what_does_not_compile(call: Call, workspace: Path) -> None:
    (workspace / "protocols/greeting/greet.yaml").write_text("workflow: [")
    said = call("test")
    assert said.status == 3
    assert "error[OB1" in said.err


def test_explain_prints_the_page_of_a_code_or_slug(call: Call) -> None:
    said = call("explain", "OB303")
    assert said.status == 0
    assert said.out.startswith("OB303: unknown-store\n")
    assert "\n    error[OB303] unknown-store: no store is called `ST_STOK_V0`\n" in said.out and "```" not in said.out
    assert call("explain", "unknown-store") == said == call("explain", "ob303")
    assert call("explain", "OB303", "--json").json()["slug"] == "unknown-store"
    unknown = call("explain", "OB39")
    assert (unknown.status, unknown.out) == (3, "")
    assert "error[OB315]" in unknown.err
    assert "did you mean `OB30" in unknown.err
    for code in table():
        assert call("explain", code).status == 0


def test_show_tells_graph_bounds_and_what_the_digest_depends_on(call: Call, workspace: Path) -> None:
    assert call("show").out == GREET + "\n"
    said = call("show", GREET)
    assert said.status == 0
    for line in (
        "declared in protocols/greeting/greet.yaml:2",
        "> words  greeting::CT_GREETING_V0 (PURE)",
        "      UNKNOWN_LANGUAGE -> refused",
        "  refused  REJECTED",
        "  at most 2 node visits",
        "  at most 1 effect of class IDEMPOTENT",
        "  the payload",
        "  the answers of `remember` (std::CS_REGISTRY_V0.REGISTER on greeting::ST_GREETINGS_V0)",
    ):
        assert line in said.out.splitlines()
    found = call("show", GREET, "--json").json()
    assert found["bounds"] == {"visits": 2, "effects": {"IDEMPOTENT": 1}}
    assert found["graph"]["address"] == GREET


STD_LAWS = ["std::IV_CHANGE_IS_TOLD_V0", "std::IV_NO_EFFECT_BEFORE_DENIAL_V0", "std::IV_OUTSIDE_IS_LAST_V0"]
LAW = """
invariant: IV_WORDS_FIRST_V0
summary: Nothing is remembered before it has words.
applies_to: all
every_path: {passes: {node: words, outcome: SUCCESS}, before: {effect: IDEMPOTENT}}
"""


def test_show_tells_laws_and_limits(call: Call, workspace: Path) -> None:
    bare = call("show", GREET).out.splitlines()
    of_std = call("show", GREET, "--json").json()["laws"]
    assert list(of_std) == STD_LAWS
    assert [f"  {law}  {summary}" for law, summary in of_std.items()] == bare[bare.index("laws") + 1 :][: len(of_std)]
    declared = workspace / "protocols/greeting/greet.yaml"
    text = declared.read_text("utf-8").replace(
        "start: words\n", "start: words\nlimits: {visits: 5, effects: {READ: 0}}\n"
    )
    declared.write_text(text, "utf-8")
    (workspace / "protocols/greeting/laws.yaml").write_text(LAW, "utf-8")
    assert call("compile").status == 0
    said = call("show", GREET).out.splitlines()
    assert "  at most 2 node visits (limit 5)" in said
    assert "  at most 0 effects of class READ (limit 0)" in said
    assert "  greeting::IV_WORDS_FIRST_V0  Nothing is remembered before it has words." in said
    found = call("show", GREET, "--json").json()
    assert found["laws"] == {"greeting::IV_WORDS_FIRST_V0": "Nothing is remembered before it has words.", **of_std}
    assert found["limits"] == {"visits": 5, "effects": {"READ": 0}}
    declared.write_text(text.replace("visits: 5", "visits: 1"), "utf-8")
    refused = call("compile")
    assert refused.status == 3
    assert "error[OB521]" in refused.err
    assert "a run may make 2 node visits, and the limit is 1" in refused.err


def test_show_draws(call: Call, workspace: Path) -> None:
    assert call("show", GREET, "--format", "dot").out.startswith("digraph")
    assert call("show", GREET, "--format", "png", "--output", "graph.png") == (0, "", "written: graph.png\n")
    assert call("show", GREET, "--format", "dot", "-o", "graph.dot", "--json").json()["output"] == "graph.dot"
    assert (workspace / "graph.dot").read_text("utf-8") == call("show", GREET, "--format", "dot").out
    assert (workspace / "graph.png").read_bytes().startswith(b"\x89PNG")
    said = call("show", GREET, "-o", "no/such/folder.txt")
    assert said.status == 6
    assert "error[OB753]" in said.err


def test_show_answers_an_unknown_workflow_with_the_nearest(call: Call, workspace: Path) -> None:
    said = call("show", "greeting::WF_GRET_V0")
    assert (said.status, said.out) == (3, "")
    assert f"did you mean `{GREET}`?" in said.err


def test_data_lists_shows_and_exports(call: Call, workspace: Path) -> None:
    assert call("data", "ls").out.split() == ["store", "keeps", "records", STORE, "registry", "0"]
    assert call("data", "show", STORE) == Said(0, "", "")
    assert not (workspace / "data").exists(), "looking makes nothing"
    greet(call, "T1")
    record = {"key": "World", "value": {"text": "Bonjour, World!"}}
    assert json.loads(call("data", "show", STORE).out) == record
    shown = call("data", "show", STORE, "--json").json()
    assert (shown["schema"], shown["count"], shown["records"]) == ("omnibachi.data/1", 1, [record])
    mirror = workspace / "data/registry/greeting/ST_GREETINGS_V0.jsonl"
    kept = mirror.read_bytes()
    mirror.unlink()
    exported = call("data", "export")
    assert exported.status == 0
    assert mirror.read_bytes() == kept
    elsewhere = call("data", "ls", "--data-root", "elsewhere", "--json").json()
    assert elsewhere["stores"] == [{"store": STORE, "keeps": "registry", "count": 0}]


def test_data_show_answers_an_unknown_store_with_the_nearest(call: Call, workspace: Path) -> None:
    said = call("data", "show", "greeting::ST_GREETING_V0")
    assert said.status == 3
    assert f"did you mean `{STORE}`?" in said.err


def test_traces_lists_and_shows(call: Call, workspace: Path) -> None:
    assert call("traces", "ls").out.split() == ["trace", "id", "started", "workflow", "end"]
    greet(call, "T1")
    greet(call, "T2")
    found = call("traces", "ls", "--json").json()["traces"]
    assert [row["trace_id"] for row in found] == ["T2", "T1"]
    assert (found[0]["exit"], found[1]["exit"]) == ("again", "greeted")
    assert call("traces", "ls", "--limit", "1", "--json").json()["traces"] == found[:1]
    page = call("traces", "show", "T1")
    assert page.out == (workspace / "traces/T1/T1.md").read_text().rstrip("\n") + "\n"
    shown = call("traces", "show", "T1", "--json").json()
    assert [event["body"]["kind"] for event in shown["events"]] == ["RUN_STARTED", "CALLED", "CALLED", "RUN_FINISHED"]
    missing = call("traces", "show", "T3")
    assert missing.status == 3
    assert "error[OB316]" in missing.err
    assert "did you mean `T" in missing.err


def test_a_trace_whose_journal_is_gone_is_listed_and_shown(call: Call, workspace: Path) -> None:
    greet(call, "T1")
    (row,) = call("traces", "ls", "--data-root", "other", "--json").json()["traces"]
    assert (row["trace_id"], row["workflow"], row["exit"]) == ("T1", GREET, "greeted")
    (workspace / "traces/T1/T1.md").unlink()
    assert "greeted" in call("traces", "show", "T1").out


def test_colour_is_off_in_a_pipe(call: Call, workspace: Path) -> None:
    assert "\x1b" not in call("show", "nothing").err + call("test").out + call("--help").out
