"""The table of diagnostic codes against the rest of the house: each is raised, explained, tested, and has its page."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from omnibachi.error_pages import pages
from omnibachi_model.codes import table

ROOT = Path(__file__).resolve().parent.parent
CODE = re.compile(r"\bOB[1-9]\d\d\b")
SOURCES = (
    "cli", "model", "compiler", "runtime", "capabilities", "ledger", "observer", "audit", "policy", "transport",
)  # fmt: skip


def codes_in(paths: list[Path]) -> set[str]:
    return {code for path in paths for code in CODE.findall(path.read_text("utf-8"))}


def assert_none(found: list[str]) -> None:
    """Fail with the whole list, one line, so that it can be worked off."""
    assert not found, " ".join(found)


@pytest.fixture(scope="module")
def raised() -> set[str]:
    return codes_in([path for root in SOURCES for path in (ROOT / root).rglob("*.py")])


@pytest.fixture(scope="module")
def tested() -> set[str]:
    places = [path for path in (ROOT / "tests").rglob("*") if path.suffix in {".py", ".md", ".yaml", ".json"}]
    return codes_in([path for path in places if path.name != Path(__file__).name])


def test_every_code_is_raised_somewhere(raised: set[str]) -> None:
    assert_none(sorted(set(table()) - raised))


def test_no_unknown_code_is_raised(raised: set[str]) -> None:
    assert_none(sorted(raised - set(table())))


def test_every_code_has_a_test(tested: set[str]) -> None:
    assert_none(sorted(set(table()) - tested))


def test_every_code_says_what_to_do() -> None:
    poor = [
        code.code
        for code in table().values()
        if not (code.slug and code.summary and code.help) or not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code.slug)
    ]
    assert_none(poor)


def test_every_code_has_an_example() -> None:
    assert_none([code.code for code in table().values() if not code.example.strip()])


def test_slugs_are_unique() -> None:
    assert [slug for slug, count in Counter(code.slug for code in table().values()).items() if count > 1] == []


def test_summaries_and_help_keep_the_form_of_messages() -> None:
    """Lower case, no final stop; advice stands apart from the summary."""
    odd = [
        code.code
        for code in table().values()
        for text in (code.summary, code.help)
        if text.endswith(".") or (text[:1].isupper() and not re.match(r"[A-Z]{2,}|Python|OmniBachi", text))
    ]
    assert_none(odd)


def test_the_pages_are_current() -> None:
    written = {path.name: path.read_text("utf-8") for path in (ROOT / "docs/errors").iterdir()}
    made = pages()
    stale = sorted(name for name in written.keys() | made.keys() if written.get(name) != made.get(name))
    assert not stale, f"{' '.join(stale)}: .venv/bin/python -m omnibachi.error_pages docs/errors"
