"""The pages of loading, running and resuming: each failing example gives its code, each mended one ends well."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnibachi_model.codes import table
from showing import compiled_shop, noted, unlike


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_shop(tmp_path_factory.mktemp("shop") / "shop")


@pytest.mark.parametrize("code", [code for code in table() if "OB600" <= code < "OB740"])
def test_the_page_shows_what_is_so(shop: Path, tmp_path: Path, code: str) -> None:
    assert not (wrong := unlike(shop, tmp_path, code, noted())), "\n".join(wrong)
