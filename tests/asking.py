"""The shipped domains asked from outside, in a data root of the test's own: what a run ends in, and what it leaves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from moving import ROOT, Actor, flow
from omnibachi import RunResult, Workspace, wiring

STATUS = {0: "COMPLETED", 1: "REJECTED", 5: "DENIED"}


class House:
    """One data root of the shipped workspace."""

    def __init__(self, data_root: Path) -> None:
        self.workspace = Workspace(ROOT)
        self.data_root = data_root
        self.engine = self.workspace.engine(data_root)

    def run(self, workflow: str, **payload: Any) -> RunResult:
        """Run a workflow (of `blockchain` where no domain is named), which must neither fail nor fault."""
        address = workflow if "::" in workflow else flow(workflow)
        result = self.engine.run(address, payload)
        assert result.exit not in (None, "failed"), (result, result.diagnostics)
        assert result.status == STATUS[result.exit_code]
        return result

    def ends(self, workflow: str, **payload: Any) -> tuple[str | None, str | None, dict[str, Any] | None]:
        """Run a workflow and return exit, status and result."""
        result = self.run(workflow, **payload)
        return result.exit, result.status, result.result

    def exit(self, workflow: str, **payload: Any) -> str | None:
        """Run a workflow and return its exit."""
        return self.run(workflow, **payload).exit

    def load(self, stores: str | dict[str, Any]) -> None:
        """Load facts: a seed by its name, or {store: {key: record}}."""
        file: str | Path = self.data_root / "facts.json"
        if isinstance(stores, str):
            file = stores
        else:
            self.data_root.mkdir(exist_ok=True)
            Path(file).write_text(json.dumps({"schema": "omnibachi.seed/1", "stores": stores}))
        assert self.workspace.load_facts(file, data_root=self.data_root).ok

    def records(self, store: str) -> list[dict[str, Any]]:
        """Return the records of a store (of `blockchain` where no domain is named)."""
        address = store if "::" in store else f"blockchain::ST_{store}_V0"
        return self.workspace.records(address, data_root=self.data_root)

    def values(self, store: str) -> dict[str, Any]:
        """Return the records of a keyed store by key."""
        return {item["key"]: item["value"] for item in self.records(store)}

    def told(self, store: str, event: str | None = None) -> list[dict[str, Any]]:
        """Return the records of a stream without `at`, of one event or of all with the event's name first."""
        found = [(item["event"].partition("::")[2], dict(item["record"])) for item in self.records(store)]
        for _, record in found:
            if "at" in record:
                assert record.pop("at").endswith("Z")
        if event is not None:
            return [record for name, record in found if name == f"EV_{event}_V0"]
        return [{"event": name[3:-3], **record} for name, record in found]

    def all(self) -> dict[str, Any]:
        """Return all that is kept, by store."""
        snapshot = self.workspace.load()
        sealed = [wiring.load_domain(snapshot, domain)["stores"] for domain in sorted(snapshot.manifest["domains"])]
        with wiring.open_root(str(self.data_root), reading=True) as ledger:
            return {
                address: ledger.records(address, store["keeps"])
                for stores in sealed
                for address, store in stores.items()
            }

    def copy(self, data_root: Path) -> House:
        """Return another house with all that this one holds; this one is closed."""
        self.engine.close()
        shutil.copytree(self.data_root, data_root)
        return House(data_root)

    def registered(self, *actors: Actor) -> None:
        """Register actors."""
        for actor in actors:
            assert self.exit("REGISTER_ACTOR_UNVERIFIED", actor_record=actor.record) == "registered"

    def verified(self, *actors: Actor) -> None:
        """Register and verify actors."""
        self.registered(*actors)
        for actor in actors:
            assert self.exit("VERIFY_ACTOR", **verification(actor)) == "verified"

    def with_wallets(self, *actors: Actor) -> None:
        """Register and verify actors and give each a standard wallet."""
        self.verified(*actors)
        for actor in actors:
            assert self.exit("CREATE_WALLET", actor_record=actor.record, actor_id=actor.id) == "created"


def verification(actor: Actor, decision: str = "VERIFIED", **more: Any) -> dict[str, Any]:
    """Return what a verifier hands in."""
    return {
        "actor_record": actor.record, "actor_id": actor.id, "verifier_id": "VERIFIER", "decision": decision, **more
    }  # fmt: skip
