"""The pages of what other commands find, and of all codes: none lacks a part, and few are provoked by tests alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from omnibachi.error_pages import lines_of, page, parts
from omnibachi_model.codes import table
from showing import ROOT, compiled_shop, noted, unlike


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled_shop(tmp_path_factory.mktemp("shop") / "shop")


@pytest.mark.parametrize("code", [code for code in table() if code >= "OB740"])
def test_the_page_shows_what_is_so(shop: Path, tmp_path: Path, code: str) -> None:
    assert not (wrong := unlike(shop, tmp_path, code, noted())), "\n".join(wrong)


def test_no_page_lacks_a_part() -> None:
    assert [
        code for code, item in table().items() if not (item.why and item.example.strip() and item.mended.strip())
    ] == []
    assert set(noted()) == {code for code, item in table().items() if not item.staged}


def test_few_are_provoked_by_tests_alone_and_each_says_by_which() -> None:
    staged = {code: item.staged for code, item in table().items() if item.staged}
    assert len(staged) <= 7
    for code, reason in staged.items():
        named = re.search(r"(tests/\w+\.py)::(test_\w+)", reason)
        assert named, code
        text = (ROOT / named[1]).read_text("utf-8")
        assert f"def {named[2]}(" in text and code in text, code


def test_parts_are_what_the_page_shows() -> None:
    """An example is files by their names, then commands, and what a command shows is not done."""
    example = "a: 1\n\n# order.json\n{}\n\n$ omnibachi compile\nsealed\n$ rm x.yaml\n# not/a file\n"
    assert [tuple(part) for part in parts(example)] == [
        ("protocols/shop/example.yaml", "a: 1\n"),
        ("order.json", "{}\n"),
        ("", "$ omnibachi compile\nsealed\n$ rm x.yaml\n# not/a file\n"),
    ]
    assert parts("# Only a comment.\n") == [("protocols/shop/example.yaml", "# Only a comment.\n")]
    assert parts("# a/b.py\n\n") == []


def test_a_page_on_a_terminal_has_no_signs_of_markdown() -> None:
    text = page(table()["OB406"])
    lines = lines_of(text)
    assert lines[0] == "OB406: implementation-missing" and "Why it matters" in lines
    assert not [line for line in lines if line.startswith(("#", "```"))]
    assert '    """Fees."""' in lines and "    # a" in lines_of("```\n# a\n```\n")
    assert lines_of(text, colour=True)[0] == "\x1b[1mOB406: implementation-missing\x1b[0m"
