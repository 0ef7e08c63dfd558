"""Files of a workspace as they really lie about: odd names, no files at all, Python that nobody can read."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from omnibachi.compiling import MOST_READ, compile_workspace
from omnibachi_model.diagnostics import Diagnostic

ROOT = Path(__file__).resolve().parent.parent
PRELUDE = Path(__file__).parent / "cases" / "prelude"
EVENT = b"event: EV_PACKED_V0\nrecord: {type: object}\n"
PRICE = b'def price(inputs):\n    return "UNKNOWN", {}\n'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    shutil.copytree(PRELUDE, tmp_path / "shop", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "shop"


def compiled(root: Path) -> list[Diagnostic]:
    """Compile and check that there is a snapshot exactly when nothing is wrong."""
    found = compile_workspace(str(root), shipped=str(ROOT))
    errors = [item for item in found.diagnostics if item.severity == "error"]
    assert (found.sealed is None) == bool(errors)
    return errors


@pytest.mark.parametrize("name", [b"\xff.yaml", "parcel\U0001f4e6.yaml".encode(), b"a\nb.yaml", b"a\x1b[31m.yaml"])
def test_a_name_that_no_manifest_can_hold(shop: Path, name: bytes) -> None:
    with open(os.path.join(os.fsencode(shop / "protocols/shop"), name), "wb") as file:
        file.write(EVENT)
    (found,) = compiled(shop)
    assert found.code == "OB101"
    assert "its name holds a character" in found.message
    found.message.encode()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize(("make", "words"), [(_pipe, "no regular file"), (_loop, "symbolic links")])
def test_what_is_no_file(shop: Path, make: Callable[[Path], None], words: str) -> None:
    make(shop / "protocols/shop/x.yaml")
    (found,) = compiled(shop)
    assert (found.code, words in found.message) == ("OB101", True)


def test_folders_that_end_like_files_and_hidden_files_are_passed_over(shop: Path) -> None:
    (shop / "protocols/shop/x.yaml").mkdir()
    (shop / "protocols/shop/x.yaml/.hidden.yaml").write_text("{")
    (shop / "protocols/shop/.git").mkdir()
    (shop / "protocols/shop/.git/x.yaml").write_text("{")
    (shop / "protocols/shop/notes.txt").write_text("{")
    (shop / "protocols/shop/again").symlink_to(".")
    assert compiled(shop) == []


def test_a_file_of_any_size_is_refused_at_once(shop: Path) -> None:
    with open(shop / "protocols/shop/x.yaml", "wb") as file:
        file.truncate(1024 * MOST_READ)
    (found,) = compiled(shop)
    assert found.code == "OB103"


def test_protocols_that_are_no_folder(shop: Path) -> None:
    shutil.rmtree(shop / "protocols")
    (shop / "protocols").write_text("x")
    (found,) = compiled(shop)
    assert found.code == "OB101"


@pytest.mark.parametrize(
    "text",
    [
        b"def price(inputs):\n    return " + b"(" * 5_000 + b")" * 5_000 + b"\n",
        b"def price(inputs):\n    return " + b"-" * 200_000 + b"1\n",
        PRICE + b"\0",
        PRICE + b"\xff",
        bytes(range(256)),
        b"def price(inputs)\n",
    ],
    ids=["brackets", "signs", "nul", "latin", "binary", "colon"],
)
@pytest.mark.parametrize("name", ["prices.py", "catalogue.py"])
def test_python_that_cannot_be_read(shop: Path, name: str, text: bytes) -> None:
    """One finding, at the module that is to blame, and none about the functions that are missing because of it."""
    (shop / "capabilities/shop" / name).write_bytes(text)
    (found,) = compiled(shop)
    assert found.code == "OB409"
    assert found.span is not None and found.span.file == f"capabilities/shop/{name}"


def test_what_python_only_warns_of_does_not_matter(shop: Path) -> None:
    (shop / "capabilities/shop/prices.py").write_bytes(PRICE + b'odd = "\\d"\n')
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert compiled(shop) == []
    assert said == []


def test_two_packages_may_not_name_one_address(shop: Path) -> None:
    shutil.copytree(shop / "capabilities/shop", shop / "capabilities/bank")
    (found,) = compiled(shop)
    assert (found.code, found.message) == ("OB409", "`shop::CT_PRICE_V0` stands in two catalogues")
    assert found.span is not None and found.span.file == "capabilities/shop/catalogue.py"
    assert [span.file for span, _ in found.related] == ["capabilities/bank/catalogue.py"]


def test_a_package_has_a_name_that_python_can_import(shop: Path) -> None:
    (shop / "capabilities/my-bank").mkdir()
    (shop / "capabilities/my-bank/catalogue.py").write_text("CATALOGUE = {}\n")
    (found,) = compiled(shop)
    assert (found.code, "`my-bank`" in found.message) == ("OB409", True)


def test_a_folder_whose_domain_is_misnamed_is_one_mistake(shop: Path) -> None:
    (shop / "protocols/My Bank").mkdir()
    (shop / "protocols/My Bank/domain.yaml").write_text("domain: My Bank\n")
    (shop / "protocols/My Bank/x.yaml").write_bytes(EVENT)
    (found,) = compiled(shop)
    assert (found.code, found.help) == ("OB206", "did you mean `my_bank`?")


@pytest.mark.parametrize("data", [b"\xff\xfew\x00", b"#" * MOST_READ, None])
def test_a_source_that_cannot_be_read_may_declare_what_a_catalogue_names(shop: Path, data: bytes | None) -> None:
    catalogue = shop / "capabilities/shop/catalogue.py"
    catalogue.write_text(catalogue.read_text().replace("{", '{"shop::CT_MORE_V0": price, ', 1))
    (alone,) = compile_workspace(str(shop), shipped=str(ROOT)).diagnostics
    assert (alone.code, alone.severity) == ("OB301", "warning")
    source = shop / "protocols/shop/more.yaml"
    if data is None:
        os.mkfifo(source)
    else:
        source.write_bytes(data)
    (found,) = compile_workspace(str(shop), shipped=str(ROOT)).diagnostics
    assert found.code in ("OB101", "OB102", "OB103")
