"""`omnibachi run` as people meet it: options, payloads, what is printed, exit statuses, interrupts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from omnibachi import Workspace
from omnibachi.__main__ import main
from omnibachi.wiring import VERSION
from omnibachi_model.digests import digest

DOMAIN = "domain: shop\nsummary: Orders.\n"
ORDER = """\
workflow: WF_ORDER_V0
summary: Price an order.
intent: IN_ORDER_V0
start: may
fault: failed
nodes:
  may:
    decide:
      - {when: "quantity <= 100", outcome: SUCCESS}
      - {outcome: VIOLATION, because: quantity is over the limit}
    with: {quantity: $.payload.quantity}
    next: {SUCCESS: price, VIOLATION: refused}
  price:
    use: CT_PRICE_V0
    with: {quantity: $.payload.quantity, name: $.payload.customer.name}
    next: {SUCCESS: ordered}
exits:
  ordered: {status: COMPLETED, result: {total: $.nodes.price.total}}
  refused: {status: DENIED, result: {because: $.nodes.may.because}}
  failed: {status: FAILED}
---
intent: IN_ORDER_V0
payload:
  type: object
  properties:
    quantity: {type: integer, minimum: 1}
    customer: {type: object, properties: {name: {type: string}}}
  required: [quantity, customer]
  additionalProperties: false
---
transform: CT_PRICE_V0
summary: Price a quantity.
inputs: {quantity: {type: integer}, name: {type: string}}
outcomes: {SUCCESS: {total: {type: integer}}}
examples:
  - {with: {quantity: 2, name: a}, gives: SUCCESS, output: {total: 6}}
"""
PRICE = """\
def price(inputs):
    if inputs["name"] == "crash":
        raise ValueError("no crashing")
    return "SUCCESS", {"total": inputs["quantity"] * 3}
"""
CATALOGUE = 'from .price import price\n\nCATALOGUE = {"shop::CT_PRICE_V0": price}\n'
WF = "shop::WF_ORDER_V0"
GOOD = ["--set", "quantity:=2", "--set", "customer.name=Given"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a compiled workspace, with the working directory inside it."""
    for name, text in {
        "protocols/shop/domain.yaml": DOMAIN,
        "protocols/shop/order.yaml": ORDER,
        "capabilities/shop_prices/__init__.py": "",
        "capabilities/shop_prices/price.py": PRICE,
        "capabilities/shop_prices/catalogue.py": CATALOGUE,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    compiled = Workspace(tmp_path).compile()
    assert compiled.ok, compiled.diagnostics
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


def run(*arguments: str) -> int:
    return main(["run", "--wf", WF, "--no-picture", *arguments])


def printed(capfdbinary: Any) -> tuple[str, str]:
    out, err = capfdbinary.readouterr()
    return out.decode(), err.decode()


def result(capfdbinary: Any, *arguments: str) -> dict[str, Any]:
    """Run with --json and return the object, which is all that is printed."""
    status = run("--json", *arguments)
    out, err = printed(capfdbinary)
    assert err == "" and out.endswith("}\n") and out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    assert found["exit_code"] == status and found["ok"] == (status == 0)
    return found


def codes(found: dict[str, Any]) -> list[str]:
    return [item["code"] for item in found["diagnostics"]]


def test_a_run_prints_exit_result_and_trace(shop: Path, capfdbinary: Any) -> None:
    assert run(*GOOD, "--trace-id", "T1") == 0
    out, err = printed(capfdbinary)
    assert err == ""
    assert out.splitlines()[0] == f"{WF}: ordered (COMPLETED)"
    assert '  result  {"total":6}' in out and "traces/T1/T1.jsonl" in out
    assert (shop / "traces/T1/T1.jsonl").exists()
    assert run(*GOOD, "--trace-id", "T1") == 0
    assert "as recorded; nothing was run" in printed(capfdbinary)[0]


def test_json_has_the_documented_shape(shop: Path, capfdbinary: Any) -> None:
    found = result(capfdbinary, *GOOD, "--trace-id", "T1", "--actor", "AC_1")
    seal = digest((shop / "protocol_snapshot/manifest.json").read_bytes())
    assert {key: found[key] for key in ("schema", "trace_id", "workflow", "seal", "origin", "exit", "status")} == {
        "schema": "omnibachi.run/1", "trace_id": "T1", "workflow": WF, "seal": seal, "origin": "unpinned",
        "exit": "ordered", "status": "COMPLETED",
    }  # fmt: skip
    assert found["result"] == {"total": 6} and found["digest"].startswith("sha256:")
    assert found["path"] == [
        {"node": "may", "capability": None, "outcome": "SUCCESS"},
        {"node": "price", "capability": "shop::CT_PRICE_V0", "outcome": "SUCCESS"},
    ]
    assert found["trace"] == {"jsonl": "traces/T1/T1.jsonl", "md": "traces/T1/T1.md"}
    assert result(capfdbinary, *GOOD, "--seal", seal)["origin"] == "pinned"


def test_the_payload_comes_from_file_input_and_sets(shop: Path, capfdbinary: Any, monkeypatch: Any) -> None:
    (shop / "order.json").write_text('{"quantity": 5, "customer": {"name": "a"}}')
    assert result(capfdbinary, "--payload", "order.json")["result"] == {"total": 15}
    assert result(capfdbinary, "--payload=order.json", "--set=quantity:=7")["result"] == {"total": 21}
    with (shop / "order.json").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert result(capfdbinary, "--payload", "-")["result"] == {"total": 15}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "OB120"),
        (b"", "OB121"),
        (b"{", "OB121"),
        (b'{"a": 1, "a": 2}', "OB121"),
        (b"\xff", "OB121"),
        (b'\xef\xbb\xbf{"quantity": 1}', "OB121"),
        (b'{"a": NaN}', "OB121"),
        (b'{"a": 9007199254740993}', "OB122"),
        (b'{"a": "\\ud800"}', "OB122"),
        (b'{"a": 1e400}', "OB122"),
        (b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", "OB122"),
        (b"[" * 100_000, "OB121"),
        (b"[1]", "OB123"),
        (b"null", "OB123"),
        (b'"text"', "OB123"),
    ],
)
def test_a_bad_payload_is_refused_with_its_reason(
    shop: Path, capfdbinary: Any, content: bytes | None, code: str
) -> None:
    if content is not None:
        (shop / "order.json").write_bytes(content)
    found = result(capfdbinary, "--payload", "order.json")
    assert found["exit_code"] == 3 and codes(found) == [code]
    assert found["exit"] is None and not (shop / "traces").exists()
    assert run("--payload", "order.json") == 3
    assert f"error[{code}]" in printed(capfdbinary)[1]


@pytest.mark.parametrize(
    "text", ["quantity", "=1", ".a=1", "a..b=1", "quantity:=many", "quantity:=", "customer=a", "a:=NaN"]
)
def test_a_bad_set_is_refused(shop: Path, capfdbinary: Any, text: str) -> None:
    found = result(capfdbinary, "--set", text, "--set", "customer.name=x")
    assert found["exit_code"] == 3 and codes(found) == ["OB124"]


def test_a_payload_that_is_a_folder_is_refused(shop: Path, capfdbinary: Any) -> None:
    assert codes(result(capfdbinary, "--payload", "protocols")) == ["OB120"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--payloda", "x"], "did you mean `--payload`?"),
        (["--nopicture"], "did you mean `--no-picture`?"),
        (["order.json"], "stands alone"),
        (["--payload"], "needs a value"),
        (["--json=1"], "takes no value"),
        (["--actor", "a", "--actor", "b"], "given twice"),
    ],
)
def test_usage_errors_exit_2_and_help(shop: Path, capfdbinary: Any, arguments: list[str], says: str) -> None:
    assert run(*arguments) == 2
    out, err = printed(capfdbinary)
    assert out == "" and says in err and "error[OB752]" in err
    if arguments != ["--json=1"]:
        assert main(["run", "--wf", WF, "--json", *arguments]) == 2
        assert codes(json.loads(printed(capfdbinary)[0])) == ["OB752"]
    assert not (shop / "traces").exists()


def test_the_workflow_must_be_named(shop: Path, capfdbinary: Any) -> None:
    assert main(["run"]) == 2
    assert "`--wf` is missing" in printed(capfdbinary)[1]


def test_help_names_every_option_its_default_and_an_example(capfdbinary: Any) -> None:
    from omnibachi.run_command import FLAGS, VALUES

    assert main(["run", "--help"]) == 0
    out = printed(capfdbinary)[0]
    assert all(option in out for option in VALUES) and all(flag in out for flag in FLAGS)
    assert "[default: <workspace>/data]" in out and "Example:" in out
    assert max(map(len, out.splitlines())) <= 120


def test_an_unknown_workflow_names_the_nearest(shop: Path, capfdbinary: Any) -> None:
    assert main(["run", "--wf", "shop::WF_ODER_V0"]) == 3
    out, err = printed(capfdbinary)
    assert out == "" and "error[OB311] unknown-workflow" in err and f"did you mean `{WF}`?" in err


@pytest.mark.parametrize(
    ("sets", "status", "exit", "code"),
    [
        (["quantity:=2", "customer.name=a"], 0, "ordered", None),
        (["quantity:=200", "customer.name=a"], 5, "refused", None),
        (["quantity:=0", "customer.name=a"], 1, "rejected", "OB701"),
        (["quantity:=1", "customer.name=crash"], 1, "failed", "OB702"),
        (["quantity:=1", "customer:={}"], 1, "failed", "OB703"),
    ],
)
def test_exit_statuses(shop: Path, capfdbinary: Any, sets: list[str], status: int, exit: str, code: str | None) -> None:
    found = result(capfdbinary, *(word for text in sets for word in ("--set", text)))
    assert (found["exit_code"], found["exit"]) == (status, exit)
    assert codes(found) == ([code] if code else [])


def test_a_fault_shows_its_place_in_the_source(shop: Path, capfdbinary: Any) -> None:
    assert run("--set", "quantity:=1", "--set", "customer:={}") == 1
    out, err = printed(capfdbinary)
    assert f"{WF}: failed (FAILED)" in out
    line = ORDER.splitlines().index("    with: {quantity: $.payload.quantity, name: $.payload.customer.name}") + 1
    assert "error[OB703] input-missing: node `price` read `$.payload.customer.name`, which is not there" in err
    assert f"--> protocols/shop/order.yaml:{line}:" in err
    assert "with: {quantity: $.payload.quantity, name: $.payload.customer.name}" in err and "^^^" in err


def test_a_source_that_was_changed_after_sealing_is_a_warning(shop: Path, capfdbinary: Any) -> None:
    path = shop / "protocols/shop/order.yaml"
    later = time.time() + 10
    os.utime(path, (later, later))
    assert codes(result(capfdbinary, *GOOD)) == []
    path.write_text(ORDER.replace("<= 100", "<= 1000"), "utf-8")
    os.utime(path, (later, later))
    found = result(capfdbinary, *GOOD)
    assert found["ok"] and codes(found) == ["OB609"] and found["diagnostics"][0]["severity"] == "warning"


def test_the_workspace_is_the_nearest_folder_upward_or_the_one_named(
    shop: Path, capfdbinary: Any, tmp_path_factory: Any, monkeypatch: Any
) -> None:
    deep = shop / "protocols/shop"
    monkeypatch.chdir(deep)
    found = result(capfdbinary, *GOOD, "--trace-id", "T1")
    assert found["ok"] and (shop / "traces/T1/T1.jsonl").exists()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    assert result(capfdbinary, *GOOD, "--workspace", str(shop))["ok"]
    assert codes(result(capfdbinary, *GOOD, "--workspace", str(elsewhere))) == ["OB751"]
    assert list(elsewhere.iterdir()) == []


def test_outside_a_workspace_the_shipped_snapshot_runs_here(tmp_path: Path, monkeypatch: Any, capfdbinary: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    actor = {"actor_record": {"first_name": "G", "last_name": "F", "email_registration": "actor@example.org"}}
    Path("actor.json").write_text(json.dumps(actor))
    status = main(["run", "--wf", "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0", "--payload", "actor.json",
                   "--no-picture", "--trace-id", "T1"])  # fmt: skip
    assert status == 0, printed(capfdbinary)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["actor.json", "data", "traces"]
    assert Path("traces/T1/T1.jsonl").exists() and Path("data/store.db").exists()


def test_colour_only_where_it_is_welcome(shop: Path, capfdbinary: Any, monkeypatch: Any) -> None:
    from omnibachi.terminal import render
    from omnibachi_model.diagnostics import Diagnostic

    monkeypatch.delenv("NO_COLOR")
    run("--payload", "nothing.json")
    assert "\x1b" not in printed(capfdbinary)[1]
    found = [Diagnostic("OB120", "`a\x1b[31m` \u202e cannot be read", help="x")]
    assert "\x1b[1;31m" in render(found, colour=True)
    plain = render(found, colour=False)
    assert "\x1b" not in plain and "\\x1b[31m" in plain and "\\u202e" in plain


def test_a_long_path_is_shown_by_its_ends() -> None:
    from omnibachi.terminal import render
    from omnibachi_model.diagnostics import Diagnostic

    steps = [f"n{number} SUCCESS" for number in range(30)]
    text = render([Diagnostic("OB506", "not given", path=steps)], colour=False)
    assert "n9 SUCCESS -> … 10 more … -> n20 SUCCESS" in text and "n29 SUCCESS" in text and "n15" not in text


def child(shop: Path, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "omnibachi", "run", "--wf", WF, *arguments],
        cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,
    )  # fmt: skip


def test_ctrl_c_in_the_middle_exits_130_and_leaves_nothing_half_written(shop: Path) -> None:
    slow = PRICE.replace("    return", '    open("started", "w").close()\n    while True: pass\n    return', 1)
    (shop / "capabilities/shop_prices/price.py").write_text(slow)
    lay_slow(shop, slow)
    process = child(shop, *GOOD, "--trace-id", "T1")
    deadline = time.monotonic() + 20
    while not (shop / "started").exists():
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130 and out == b""
    assert b"error[OB745] interrupted" in err and b"T1" in err and b"Traceback" not in err
    assert not (shop / "traces").exists() and not (shop / "data").exists()


def lay_slow(shop: Path, source: str) -> None:
    """Seal a capability that no compiler would: one that touches files."""
    from omnibachi_model.digests import pretty

    path = shop / "protocol_snapshot/manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["capabilities"]["shop::CT_PRICE_V0"]["modules"]["shop_prices.price"] = digest(source.encode())
    path.write_bytes(pretty(manifest))
    path.with_name("manifest.sha256").write_text(digest(path.read_bytes()) + "\n")


def test_a_reader_that_goes_away_is_no_traceback(shop: Path) -> None:
    process = child(shop, *GOOD, "--no-picture")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(20) == 141 and err == b""


def test_a_defect_is_one_message_and_exits_70(shop: Path, capfdbinary: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("omnibachi.workspace.Workspace.load", lambda *_, **__: 1 / 0)
    assert run(*GOOD) == 70
    out, err = printed(capfdbinary)
    assert out == "" and "error[OB799]" in err and "ZeroDivisionError" in err and "Traceback" not in err
    assert run("--json", *GOOD) == 70
    assert codes(json.loads(printed(capfdbinary)[0])) == ["OB799"]
    monkeypatch.setenv("OMNIBACHI_DEBUG", "1")
    assert run(*GOOD) == 70 and "Traceback" in printed(capfdbinary)[1]


def test_arguments_that_are_no_text_are_printed_all_the_same(shop: Path, capfdbinary: Any) -> None:
    found = result(capfdbinary, "--set", "customer.name=\udcff", "--set", "quantity:=1")
    assert codes(found) == ["OB122"]
    assert main(["run", "--wf", "\udcff", "--json"]) == 3
    assert json.loads(printed(capfdbinary)[0])["workflow"] == "?"


def test_the_version_is_that_of_the_distribution(checkout: Path) -> None:
    assert f'version = "{VERSION}"' in (checkout / "pyproject.toml").read_text("utf-8")
