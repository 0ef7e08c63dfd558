"""Loading: nothing is used before its digest was recomputed, and every refusal has its code and names the file."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handmade import lay
from omnibachi import Refused, Workspace
from omnibachi_model.digests import digest, pretty
from sealed_shop import SHOUT, WF, WORDS, edit, edit_manifest, refusal, run, shop

__all__ = ["shop"]
from omnibachi_runtime.load import load_workflow, open_snapshot


def test_what_was_sealed_runs(shop: Path) -> None:
    result = run(shop)
    assert result.ok and result.result == {"said": "A"}
    assert result.origin == "unpinned"


def test_a_pinned_seal_is_met_or_refused(shop: Path) -> None:
    seal = Workspace(shop).load().seal
    assert run(shop, seal=seal).origin == "pinned"
    code, status, message = refusal(run(shop, seal="sha256:" + "0" * 64))
    assert (code, status) == ("OB606", 4) and seal in message
    with pytest.raises(Refused) as refused:
        Workspace(shop).load(seal="sha256:0")
    assert refused.value.exit_code == 4


def test_no_workspace_no_snapshot_and_no_such_workflow(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    assert refusal(run(empty))[:2] == ("OB751", 3)
    (empty / "protocols").mkdir()
    assert refusal(run(empty))[:2] == ("OB601", 3)
    result = Workspace(shop).run("shop::WF_TEST_V1", {}, picture=False)
    assert refusal(result)[:2] == ("OB311", 3)
    assert "`shop::WF_TEST_V0`" in str(result.diagnostics[0].help)
    assert "`shop::WF_TEST_V0`" in str(Workspace(shop).run("WF_TEST_V0", {}).diagnostics[0].help)


@pytest.mark.parametrize(
    ("change", "code", "names"),
    [
        (lambda root: edit(root, "protocol_snapshot/shop/WF_TEST_V0.json", '"SUCCESS": 1', '"SUCCESS": 2'),
         "OB602", "shop/WF_TEST_V0.json"),
        (lambda root: (root / "protocol_snapshot/shop/WF_TEST_V0.json").unlink(), "OB602", "shop/WF_TEST_V0.json"),
        (lambda root: edit(root, "protocol_snapshot/manifest.json", "sha256:", "sha256;"), "OB602", "manifest.json"),
        (lambda root: edit(root, "protocol_snapshot/manifest.sha256", "sha256:", "sha256;"), "OB602", "manifest.json"),
        (lambda root: edit(root, "capabilities/shop_caps/shout.py", "SUCCESS", "success"), "OB604", "shop_caps.shout"),
        (lambda root: edit(root, "capabilities/shop_caps/words.py", "upper", "lower"), "OB604", "shop_caps.words"),
        (lambda root: (root / "capabilities/shop_caps/words.py").unlink(), "OB605", "shop_caps.words"),
        (lambda root: edit_manifest(root, lambda m: m["capabilities"].clear()), "OB605", "shop::CT_SHOUT_V0"),
        (lambda root: edit_manifest(root, lambda m: m.update(format="omnibachi.snapshot/2")), "OB603", "snapshot/2"),
        (lambda root: edit_manifest(root, lambda m: m.pop("workflows")), "OB608", "workflows"),
        (lambda root: edit_manifest(root, lambda m: m["workflows"].update({WF: 1})), "OB608", "manifest.json"),
        (lambda root: edit_manifest(root, lambda m: m["capabilities"].update({"shop::CT_SHOUT_V0": {}})),
         "OB608", "lock"),
        (lambda root: edit_manifest(root, lambda m: m["capabilities"]["shop::CT_SHOUT_V0"].update(modules={})),
         "OB608", "cover"),
        (lambda root: edit_manifest(
            root, lambda m: m["capabilities"]["shop::CT_SHOUT_V0"].update(implementation="shop_caps.shout:other")
         ), "OB605", "other"),
    ],
)  # fmt: skip
def test_what_is_not_as_sealed_is_refused_and_named(
    shop: Path, change: Callable[[Path], None], code: str, names: str
) -> None:
    change(shop)
    found, status, message = refusal(run(shop))
    assert (found, status) == (code, 4)
    assert names in message
    assert not (shop / "traces").exists() and not (shop / "data").exists()


def edit_workflow(root: Path, change: Callable[[Any], None]) -> None:
    """Edit the workflow and seal the edit: what only a compiler of another version, or malice, would do."""
    path = root / "protocol_snapshot/shop/WF_TEST_V0.json"
    sealed = json.loads(path.read_bytes())
    change(sealed)
    path.write_bytes(pretty(sealed))
    edit_manifest(root, lambda manifest: manifest["workflows"][WF].update(sha256=digest(pretty(sealed))))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda sealed: sealed.update(format="omnibachi.workflow/2"), "OB603"),
        (lambda sealed: sealed.pop("format"), "OB608"),
        (lambda sealed: sealed.update(address="shop::WF_OTHER_V0"), "OB608"),
        (lambda sealed: sealed["nodes"][0]["next"].update(SUCCESS=0), "OB608"),
        (lambda sealed: sealed.pop("nodes"), "OB608"),
    ],
)
def test_a_resealed_edit_of_the_wrong_shape_is_refused(shop: Path, change: Callable[[Any], None], code: str) -> None:
    edit_workflow(shop, change)
    assert refusal(run(shop))[:2] == (code, 4)


@pytest.mark.parametrize("name", ["manifest.json", "shop/WF_TEST_V0.json"])
def test_what_is_no_json_is_refused(shop: Path, name: str) -> None:
    (shop / "protocol_snapshot" / name).write_bytes(b"{")
    if name != "manifest.json":
        edit_manifest(shop, lambda manifest: manifest["workflows"][WF].update(sha256=digest(b"{")))
    else:
        (shop / "protocol_snapshot/manifest.sha256").write_text(digest(b"{"))
    assert refusal(run(shop))[:2] == ("OB608", 4)


def test_a_path_out_of_the_snapshot_is_not_followed(shop: Path) -> None:
    (shop / "outside.json").write_bytes((shop / "protocol_snapshot/shop/WF_TEST_V0.json").read_bytes())
    edit_manifest(shop, lambda manifest: manifest["workflows"][WF].update(file="../outside.json"))
    assert refusal(run(shop))[:2] == ("OB602", 4)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(shop: Path) -> None:
    (shop / "protocol_snapshot/manifest.json").chmod(0)
    assert refusal(run(shop))[:2] == ("OB608", 4)


def test_a_module_that_cannot_be_imported_is_refused(shop: Path) -> None:
    broken = "raise RuntimeError('no')\n"
    (shop / "capabilities/shop_caps/words.py").write_text(broken)
    edit_manifest(
        shop,
        lambda manifest: manifest["capabilities"]["shop::CT_SHOUT_V0"]["modules"].update(
            {"shop_caps.words": digest(broken.encode())}
        ),
    )
    code, status, message = refusal(run(shop))
    assert (code, status) == ("OB409", 4) and "RuntimeError: no" in message


def test_another_workspace_with_packages_of_the_same_name_gets_its_own(
    shop: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "protocol_snapshot").mkdir()
    assert run(shop).result == {"said": "A"}
    lay(
        other,
        [json.loads((shop / "protocol_snapshot/shop/WF_TEST_V0.json").read_bytes())],
        {"shop::CT_SHOUT_V0": "shop_caps.shout:shout"},
        {"shop_caps.shout": SHOUT.replace("loud(", "'other ' + loud("), "shop_caps.words": WORDS},
    )
    assert run(other).result == {"said": "other A"}
    assert run(shop).result == {"said": "A"}


def test_a_capability_sealed_anew_is_imported_anew(shop: Path) -> None:
    assert run(shop).result == {"said": "A"}
    anew = WORDS.replace("upper()", "upper() + '!'")
    (shop / "capabilities/shop_caps/words.py").write_text(anew)
    edit_manifest(
        shop,
        lambda manifest: manifest["capabilities"]["shop::CT_SHOUT_V0"]["modules"].update(
            {"shop_caps.words": digest(anew.encode())}
        ),
    )
    assert run(shop).result == {"said": "A!"}


def test_the_instant_between_two_renames_is_waited_for(shop: Path) -> None:
    place, aside = shop / "protocol_snapshot", shop / ".protocol_snapshot.new"
    place.rename(aside)
    (shop / "protocols").mkdir()
    timer = threading.Timer(0.05, lambda: aside.rename(place))
    timer.start()
    try:
        assert run(shop).ok
    finally:
        timer.join()
    place.rename(aside)
    assert refusal(run(shop))[:2] == ("OB601", 3)


def test_a_compile_in_between_is_read_once_more(shop: Path) -> None:
    """The reader has the old manifest when the new snapshot is renamed into place."""
    place = shop / "protocol_snapshot"
    workspace = Workspace(shop)
    snapshot = workspace.load()
    edit_workflow(shop, lambda sealed: sealed["nodes"][1].update(name="ready"))
    sealed = load_workflow(snapshot, WF, workspace.capabilities.source)
    assert sealed.snapshot.seal == digest((place / "manifest.json").read_bytes()) != snapshot.seal
    assert sealed.workflow["nodes"][1]["name"] == "ready"
    pinned = open_snapshot(snapshot.read, pinned=sealed.snapshot.seal)
    edit_workflow(shop, lambda sealed: sealed["nodes"][1].update(name="done"))
    with pytest.raises(Refused) as refused:
        load_workflow(pinned, WF, workspace.capabilities.source)
    assert refused.value.diagnostics[0].code == "OB606"


def test_one_flipped_byte_anywhere_in_what_a_run_reads_is_refused(shop: Path) -> None:
    """Every byte of the manifest, the workflow and the capability; one bit each."""
    workspace = Workspace(shop)
    base = shop / "protocol_snapshot"
    paths = [base / "manifest.json", base / "shop/WF_TEST_V0.json", shop / "capabilities/shop_caps/shout.py"]
    for path in paths:
        good = path.read_bytes()
        for index in range(len(good)):
            bad = bytearray(good)
            bad[index] ^= 1
            path.write_bytes(bad)
            with pytest.raises(Refused):
                load_workflow(workspace.load(), WF, workspace.capabilities.source)
        path.write_bytes(good)
    load_workflow(workspace.load(), WF, workspace.capabilities.source)
