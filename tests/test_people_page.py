"""docs/people.md as a newcomer types it, in an empty folder: its node compiles, its commands do what it says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from front_door import Call, Said, call

__all__ = ["call"]

PAGE = (Path(__file__).resolve().parent.parent / "docs/people.md").read_text("utf-8")
(NODES,) = re.findall(r"^```yaml nodes\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = [text.splitlines() for text in re.findall(r"^```\n(omnibachi .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
INLINE = [" ".join(text.split()) for text in re.findall(r"`(omnibachi [^`]+)`", PAGE)]
AROUND = f"""domain: desk
---
intent: IN_PAY_V0
payload: {{type: object, properties: {{to: {{type: string}}}}, required: [to], additionalProperties: false}}
---
workflow: WF_PAY_V0
summary: Pay after people have approved.
intent: IN_PAY_V0
start: review
fault: failed
nodes:
{NODES}exits:
  go: {{status: COMPLETED}}
  refused: {{status: DENIED}}
  failed: {{status: FAILED}}
"""


def typed(call: Call, line: str) -> Said:
    return call(*shlex.split(line)[1:], *(("--no-picture",) if " approve " in line and "--key" in line else ()))


def test_the_page_as_it_is_typed(call: Call, tmp_path: Path) -> None:
    (tmp_path / "protocols/desk").mkdir(parents=True)
    (tmp_path / "protocols/desk/desk.yaml").write_text(AROUND, "utf-8")
    assert call("compile").status == 0
    keys, approve, elsewhere = BLOCKS
    for line in [*keys, *(line.replace("first", "second") for line in keys)]:
        assert typed(call, line).status == 0, line
    run = ("run", "--wf", "desk::WF_PAY_V0", "--set", "to=x", "--trace-id", "T1")
    parked = call(*run)
    assert parked.status == 7
    shown = re.sub(r"sha256:\w+|\d{4}-\d\d-\d\dT[\d:.]+Z", "", parked.out)
    assert shown in re.sub(r"sha256:\w+|\d{4}-\d\d-\d\dT[\d:.]+Z", "", PAGE)
    assert [typed(call, line).status for line in approve] == [0, 7, 5]
    # What is said of the record of years ago, in running text.
    later = [line for line in INLINE if line.split()[1] in ("examine", "verify", "bundle")]
    assert len(later) == 4
    assert {line: typed(call, line).status for line in later} == dict.fromkeys(later, 0)
    assert 'because "the invoice is there"' in " ".join(call("examine", "T1").out.split())

    for gone in ("data", "traces"):
        shutil.rmtree(tmp_path / gone)
    assert call(*run).status == 7
    (tmp_path / "first-reviewer.key").write_bytes((tmp_path / "keys/first-reviewer.key").read_bytes())
    assert [typed(call, line).status for line in elsewhere] == [0, 0, 7]
    assert "waits for 1 more approval" in call("resume").out
