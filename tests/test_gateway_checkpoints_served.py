"""A served gateway and its checkpoint: written at a clean stop and not when it is killed, signed, and evidence against
a ledger that was cut meanwhile."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

from deciding import LEDGER, deny_many
from front_door import Call, call
from omnibachi_ledger import open_root
from serving import ROOT, serving, until

__all__ = ["call"]


def test_what_a_server_leaves_beside_its_data_root(tmp_path: Path, call: Call) -> None:
    """As the page of the boundary says it, command by command."""
    root, kept = tmp_path / "data", tmp_path / "data.checkpoint.json"
    page = (ROOT / "docs" / "boundary.md").read_text("utf-8").partition("## Checkpoints of the ledger")[2]
    new, (*_, option, key), known = (
        shlex.split(line)[2:] for line in page.splitlines() if line.startswith("$ omnibachi")
    )
    made = call(*new, "--json")
    assert made.status == 0
    with serving("gateway", "--data-root", str(root), option, str(tmp_path / key)) as server:
        server.settled(server.say())
        assert not kept.exists() and server.stop() == 0
    said = json.loads(kept.read_text("utf-8"))
    assert (said["length"], said["store"]) == (3, LEDGER)
    assert call(*known).out.endswith(f"anchored in  checkpoint {made.json()['id']}\n")
    # Ten hundred events more: it is there before the server ends, and says what is.
    with open_root(str(root)) as ledger:
        deny_many(ledger, 500)
    with serving("gateway", "--data-root", str(root)) as server:
        for number in range(3):
            server.settled(server.say(f"message {number}"))
        until(lambda: json.loads(kept.read_text("utf-8"))["length"] > 3)
        said = json.loads(kept.read_text("utf-8"))
        assert 1004 <= said["length"] <= 1012 and "signed" not in said
        server.process.kill()
    assert json.loads(kept.read_text("utf-8")) == said
    with serving("gateway", "--data-root", str(root)) as server:
        assert server.stop() == 0
    assert json.loads(kept.read_text("utf-8"))["length"] == 1012
    assert call("replay", str(root), "--json").json()["ledgers"][0]["decisions"] == 504


def test_a_ledger_that_was_cut_is_read_and_not_gone_on_from(tmp_path: Path) -> None:
    """OB822 in the log, 503 for intents; what shows it stays as it is."""
    root, copy, kept = tmp_path / "data", tmp_path / "copy", tmp_path / "kept.json"
    options = ("--data-root", str(root), "--checkpoint", str(kept))
    with serving("gateway", *options) as server:
        server.settled(server.say("first"))
        server.stop()
    shutil.copytree(root, copy)
    with serving("gateway", *options) as server:
        server.settled(server.say("second"))
        server.stop()
    before = kept.read_bytes()
    assert json.loads(before)["length"] == 6 and not (tmp_path / "data.checkpoint.json").exists()
    shutil.rmtree(root)
    copy.rename(root)
    with serving("gateway", *options) as server:
        refused = server.post({"intent_type": "chat.message", "payload": {"message": "third"}})
        assert (refused.status_code, refused.json()["reason_code"]) == (503, "store.unavailable")
        assert len(server.events()) == 3 and server.read("/status")["ledger"]["length"] == 3
        server.stop()
        assert "OB822" in [line.get("code") for line in server.log()]
        assert "warning[OB822]" in server.said() and "it had 6 events, and 3 of them are there" in server.said()
    assert kept.read_bytes() == before
