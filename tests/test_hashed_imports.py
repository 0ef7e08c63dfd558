"""What runs is what was hashed: neither a stale cache nor a module that is loaded already stands in for it."""

from __future__ import annotations

import os
import py_compile
import subprocess
import sys
from pathlib import Path

import pytest

from omnibachi_model.digests import digest
from sealed_shop import WF, WORDS, edit_manifest, run, shop

__all__ = ["shop"]


def test_a_stale_cache_of_a_capability_is_not_what_runs(shop: Path) -> None:
    """Same size, same second: Python would take its `.pyc` of the old source for current."""
    source = shop / "capabilities/shop_caps/words.py"
    old = source.stat()
    alone = "import sys; from omnibachi import Workspace; workspace, *strict = map(Workspace, sys.argv[1:]); "
    alone += f"print(workspace.run({WF!r}, {{'text': 'Ab'}}, picture=False, strict=bool(strict)).result)"

    def said(*more: str) -> str:
        words = [sys.executable, "-c", alone, str(shop), *more]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()

    py_compile.compile(str(source))
    assert said() == "{'said': 'AB'}"
    anew = WORDS.replace("upper", "lower")
    source.write_text(anew)
    os.utime(source, ns=(old.st_atime_ns, old.st_mtime_ns))
    edit_manifest(
        shop,
        lambda manifest: manifest["capabilities"]["shop::CT_SHOUT_V0"]["modules"].update(
            {"shop_caps.words": digest(anew.encode())}
        ),
    )
    assert said() == said("strict") == "{'said': 'ab'}"


def test_strict_compiles_the_bytes_of_an_installed_capability_too(
    shop: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is on Python's own path here, and what it loaded before is of another source."""
    installed = tmp_path_factory.mktemp("installed")
    (shop / "capabilities/shop_caps").rename(installed / "shop_caps")
    monkeypatch.syspath_prepend(str(installed))
    source = installed / "shop_caps/words.py"
    source.write_text(WORDS.replace("upper", "lower"))
    _forget()
    __import__("shop_caps.shout")
    source.write_text(WORDS)
    assert run(shop, strict=True).result == {"said": "A"}
    assert all(
        hasattr(module.__loader__, "source") for name, module in sys.modules.items() if name == "shop_caps.words"
    )
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.startswith("shop_caps")]:
        del sys.modules[name]
