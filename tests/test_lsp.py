"""`omnibachi lsp`, spoken to by a client over stdio: findings come and go, it answers, and it writes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnibachi.compiling import compile_workspace
from omnibachi.workspace import shipped_root
from speaking import Client, applied, speaking

PRELUDE = Path(__file__).parent / "cases" / "prelude"
TEXT = """\
workflow: WF_NEW_V0
summary: New, with a heart \U0001f600.
intent: IN_ORDER_V0
start: price
fault: failed
nodes:
  price:
    use: CT_PRICE_V0
    with: {item: $.payload.item, quantity: $.payload.quantity}
    next: {SUCCESS: keep, UNKNOWN: failed}
  keep:
    use: CS_REGISTRY_V0.REGISTER
    store: ST_ORDERS_V0
    with: {key: $.payload.item, value: {item: $.payload.item, cents: $.nodes.price.cents}}
    next: {SUCCESS: done, ALREADY_EXISTS: done}
exits:
  done: {status: COMPLETED, result: {cents: $.nodes.price.cents}}
  failed: {status: FAILED}
"""
SCENARIO = """\
test: it keeps an order
workflow: WF_NEW_V0
given: {answers: {price: {outcome: SUCCESS, output: {cents: 3}}}}
steps:
  - payload: {item: a, quantity: 1}
    expect: {exit: done, path: [price SUCCESS, keep SUCCESS]}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    place = tmp_path / "shop"
    shutil.copytree(PRELUDE, place, ignore=shutil.ignore_patterns("__pycache__"))
    return place


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Path]]:
    """One server for several tests, each of which closes and removes what it opened."""
    place = tmp_path_factory.mktemp("lsp") / "shop"
    shutil.copytree(PRELUDE, place, ignore=shutil.ignore_patterns("__pycache__"))
    with speaking(folder=place) as client:
        client.start(place)
        yield client, place
        assert client.leave() == 0


def closed(client: Client, *files: Path) -> None:
    """Close files, remove those that a test wrote, and wait until nothing is found in them."""
    for file in files:
        if file.name == "new.yaml":
            file.unlink(missing_ok=True)
        client.tell("textDocument/didClose", {"textDocument": {"uri": file.as_uri()}})
        if client.published.get(file.as_uri()):
            client.findings(file, lambda found: not found)
        client.published.clear()


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file of a workspace, but what Python caches."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def labels(answer: Any) -> list[str]:
    return [item["label"] for item in answer["items"]]


def test_a_document_is_typed_letter_by_letter(shop: Path) -> None:
    """Findings appear while it is half written, every question has an answer, and all is well in the end."""
    file, before = shop / "protocols" / "shop" / "new.yaml", tree(shop)
    with speaking(folder=shop) as client:
        can = client.start(shop)
        assert {"completionProvider", "hoverProvider", "definitionProvider", "renameProvider"} <= can.keys()
        assert can["textDocumentSync"]["openClose"] and can["textDocumentSync"]["change"] == 1
        client.open(file, "")
        for length in range(1, len(TEXT) + 1):
            client.change(file, TEXT[:length], length + 1)
            if length % 19 == 0 or TEXT[length - 1] in "$.:{":
                client.at("completion", file, TEXT[:length], length)
            if length % 60 == 0:
                client.at("hover", file, TEXT[:length], length - 1)
                client.at("definition", file, TEXT[:length], length - 1)
            if TEXT[:length].endswith("SUCCESS: keep"):
                assert client.findings(file, bool)[0]["source"] == "omnibachi"
        client.findings(file, lambda found: not found)
        assert client.leave() == 0
    assert tree(shop) == before


def test_findings_come_and_go(conversation: tuple[Client, Path]) -> None:
    """Also those of a file that is not open, and those of one that is closed without being saved."""
    client, shop = conversation
    file, base = shop / "protocols" / "shop" / "new.yaml", shop / "protocols" / "shop" / "base.yaml"
    file.write_text(TEXT, "utf-8")
    text = base.read_text("utf-8")
    client.open(base, text)
    assert client.findings(base, lambda found: not found) == []
    client.change(base, text.replace("UNKNOWN: {}", "UNKNOWN: {}\n  ODD: {}"))
    (found,) = [item for item in client.findings(file, bool) if item["code"] == "OB501"]
    assert found["severity"] == 1 and "`ODD`" in found["message"] and "help: " in found["message"]
    assert found["range"]["start"] == {"line": TEXT[: TEXT.index("  price:")].count("\n"), "character": 2}
    client.change(base, text, 3)
    client.findings(file, lambda found: not found)
    client.change(base, text + "---\nnonsense", 4)
    assert client.findings(base, bool)
    client.tell("textDocument/didClose", {"textDocument": {"uri": base.as_uri()}})
    client.findings(base, lambda found: not found)
    file.write_text(TEXT.replace("start: price", "start: prise"), "utf-8")
    client.tell("workspace/didChangeWatchedFiles", {"changes": [{"uri": file.as_uri(), "type": 2}]})
    assert [item["code"] for item in client.findings(file, bool)] == ["OB305"]
    closed(client, file)


def test_questions_are_answered(conversation: tuple[Client, Path]) -> None:
    client, shop = conversation
    file, base = shop / "protocols" / "shop" / "new.yaml", shop / "protocols" / "shop" / "base.yaml"
    client.open(file, TEXT)
    text = TEXT.replace("SUCCESS: keep", "SUCCESS: ")
    client.change(file, text)
    client.findings(file, bool)
    assert {"keep", "done", "failed", "rejected"} == set(
        labels(client.at("completion", file, text, text.index("SUCCESS: ,") + len("SUCCESS: ")))
    )
    text = TEXT.replace("cents: $.nodes.price.cents}}", "cents: $.nodes.price.}}", 1)
    client.change(file, text, 3)
    offers = client.at("completion", file, text, text.index("price.}") + len("price."))["items"]
    assert [(item["label"], item["detail"]) for item in offers] == [
        ("$.nodes.price.cents", "integer, given on every path"),
        ("$.nodes.price.currency", "string, may be absent"),
    ]
    assert applied(text, [offers[0]["textEdit"]]) == TEXT
    client.change(file, TEXT, 4)
    told = client.at("hover", file, TEXT, TEXT.rindex("$.nodes.price") + 9)["contents"]["value"]
    assert "integer" in told and "`price SUCCESS`" in told and "given on every path" in told
    (place,) = client.at("definition", file, TEXT, TEXT.index("$.payload.quantity") + 12)
    assert place["uri"] == base.as_uri() and place["range"]["start"]["line"] == 5
    (place,) = client.at("definition", file, TEXT, TEXT.index("CS_REGISTRY") + 2)
    assert place["uri"].endswith("protocols/std/registry.yaml")
    closed(client, file)


def test_a_node_is_renamed_everywhere(shop: Path) -> None:
    """What the editor is told to write compiles as before; a name that cannot be is refused with its reason."""
    folder = shop / "protocols" / "shop"
    file, scenario, before = folder / "new.yaml", folder / "new.test.yaml", tree(shop)
    file.write_text(TEXT.replace("quantity: $.payload.quantity", "quantity: 2"), "utf-8")
    scenario.write_text(SCENARIO, "utf-8")
    before = tree(shop)
    with speaking(folder=shop) as client:
        client.start(shop, textDocument={"rename": {"prepareSupport": True}})
        client.open(file, TEXT)
        at = TEXT.index("$.nodes.price.cents") + 10
        assert client.at("prepareRename", file, TEXT, at)["placeholder"] == "price"
        taken = client.at("rename", file, TEXT, at, newName="keep")
        assert taken["error"]["message"].startswith("OB772")
        changes = client.at("rename", file, TEXT, at, newName="quote")["changes"]
        assert tree(shop) == before, "the server writes nothing"
        assert client.leave() == 0
    texts = {file: TEXT, scenario: SCENARIO}
    assert changes.keys() == {path.as_uri() for path in texts}
    for path, text in texts.items():
        path.write_text(applied(text, changes[path.as_uri()]), "utf-8")
        assert path.read_text("utf-8") == text.replace("price", "quote")
    assert not compile_workspace(str(shop), shipped=shipped_root()).diagnostics


def test_a_certain_fix_is_offered(conversation: tuple[Client, Path]) -> None:
    client, shop = conversation
    file = shop / "protocols" / "shop" / "new.yaml"
    text = TEXT.replace("start: price", "start: prise")
    client.open(file, text)
    (found,) = client.findings(file, bool)
    place = {"textDocument": {"uri": file.as_uri()}, "range": found["range"], "context": {"diagnostics": [found]}}
    (action,) = client.ask("textDocument/codeAction", place)
    assert action["kind"] == "quickfix"
    assert applied(text, action["edit"]["changes"][file.as_uri()]) == TEXT
    closed(client, file)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8"])
def test_places_are_counted_as_was_agreed(encoding: str, shop: Path) -> None:
    file = shop / "protocols" / "shop" / "new.yaml"
    members = ('"intent": "IN_ODD_V0"', '"summary": "\U0001f600\u00e9"', '"payload": {"type": "objekt"}')
    flow = f"{{{', '.join(members)}}}\n"
    with speaking(folder=shop) as client:
        can = client.start(shop, general={"positionEncodings": [encoding]})
        assert can["positionEncoding"] == encoding
        client.open(file, flow)
        (found,) = client.findings(file, bool)
        before = flow[: flow.index('"objekt"')]
        units = {"utf-8": len(before.encode()), "utf-16": len(before.encode("utf-16-le")) // 2, "utf-32": len(before)}
        assert found["range"]["start"] == {"line": 0, "character": units[encoding]}
        assert client.leave() == 0


HOSTILE = (
    "", "\x00", "\ud800: \ud800", "\ufeffworkflow: A", "{" * 5000, "- " * 3000, "{a: " * 3000,
    "a: &a [*a, *a]",
    "workflow: " + "x" * 70_000,
    "\u2028\u2029workflow:\r\r\n nodes:\r", "workflow: WF_A_V0\nnodes: {a: {next: {SUCCESS: ", "---\n" * 300,
    "nodes:\n  a:\n    with: {x: \"$.nodes.a['", "? {a: b}\n: c", "workflow: {a: 1}\nnodes: [1]\nexits: 3\nnext: {}",
    "workflow: WF_A_V0\nnodes: {a: {use: WF_A_V0, with: {x: $.nodes.a.b}}}\nstart: a",
    "key: |\n  text\n more: x", "\t\t:",
)  # fmt: skip


def test_hostile_texts_and_strange_places(conversation: tuple[Client, Path]) -> None:
    """Nothing that is opened ends the server, and files that are no sources are left in peace."""
    client, shop = conversation
    file, odd = shop / "protocols" / "shop" / "new.yaml", shop / "other" / "compose.yaml"
    client.open(odd, "services: {")
    assert client.at("completion", odd, "services: {", 3) is None
    client.tell("textDocument/didOpen", {"textDocument": {"uri": "untitled:1", "languageId": "yaml", "version": 1,
                                                          "text": "workflow: "}})  # fmt: skip
    place = {"textDocument": {"uri": "untitled:1"}, "position": {"line": 9, "character": 9}}
    assert client.ask("textDocument/hover", place) is None
    client.open(file, "")
    for version, text in enumerate(HOSTILE, 2):
        client.change(file, text, version)
        for offset in {0, len(text) // 2, len(text)}:
            for method in ("completion", "hover", "definition"):
                answer = client.at(method, file, text.replace("\ud800", "?"), offset)
                assert not isinstance(answer, dict) or "error" not in answer, (method, text[:50], answer)
            answer = client.at("rename", file, text.replace("\ud800", "?"), offset, newName="b")
            assert "changes" in answer or "OB77" in answer["error"]["message"], (text[:50], answer)
    place = {"textDocument": {"uri": file.as_uri()}, "position": {"line": 10**6, "character": 10**6}}
    client.ask("textDocument/completion", place)
    client.change(file, TEXT, 99)
    client.findings(file, lambda found: not found)
    assert odd.as_uri() not in client.published
    closed(client, file)


def test_how_it_ends(shop: Path) -> None:
    with speaking(folder=shop) as client:
        client.start(shop, workspace={"didChangeWatchedFiles": {"dynamicRegistration": True}})
        (asked,) = client.hear("client/registerCapability")["registrations"]
        assert asked["method"] == "workspace/didChangeWatchedFiles" and asked["registerOptions"]["watchers"]
        client.tell("exit")
        assert client.process.wait(60) == 1, "without a shutdown before"
    with speaking(folder=shop) as client:
        client.start(shop)
        assert client.process.stdin is not None
        client.process.stdin.close()
        assert client.process.wait(60) == 1, "the editor died"


def test_one_workspace_alone(shop: Path, tmp_path: Path) -> None:
    """With `--workspace`, what stands in others is none of its business; without a snapshot it works all the same."""
    other = tmp_path / "other"
    shutil.copytree(PRELUDE, other)
    ours, theirs = (place / "protocols" / "shop" / "new.yaml" for place in (shop, other))
    assert not (shop / "protocol_snapshot").exists()
    with speaking("--workspace", str(shop), "--stdio", folder=tmp_path) as client:
        client.start(tmp_path)
        client.open(theirs, "nonsense: 1\n")
        client.open(ours, "nonsense: 1\n")
        assert [item["code"] for item in client.findings(ours, bool)] == ["OB201"]
        assert theirs.as_uri() not in client.published
        assert client.leave() == 0


def test_its_help_says_how_to_start_it(capfd: pytest.CaptureFixture[str]) -> None:
    from omnibachi.__main__ import main

    assert main(["lsp", "--help"]) == 0
    said = capfd.readouterr().out
    assert "omnibachi lsp --workspace ." in said and "Exit status 0" in said


def test_a_folder_that_is_not_there_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    from omnibachi.__main__ import main

    assert main(["lsp", "--workspace", "no-such-folder"]) == 3
    said = capfd.readouterr()
    assert said.out == "" and "error[OB751]" in said.err and "`no-such-folder` is no folder" in said.err
