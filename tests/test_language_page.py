"""docs/language.md stays true: its examples are one workspace that compiles and whose scenarios hold, and it names all
words of the language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from omnibachi import Workspace
from omnibachi.compiling import compile_workspace
from omnibachi.scenarios.runner import run_scenarios
from omnibachi_compiler.expressions import FUNCTIONS, MACROS, METHODS
from omnibachi_compiler.language import LATER_KINDS, SCHEMAS
from omnibachi_compiler.schemas import KEYWORDS
from omnibachi_compiler.templates import RUN_FIELDS
from omnibachi_model.checks import TYPES
from omnibachi_model.formats import FORMATS
from omnibachi_model.sealed import EFFECTS, KEEPS, RESERVED_OUTCOMES, STATUSES

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/language.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(PAGE)
FRAGMENTS = [text for kind, file, text in BLOCKS if (kind, file) == ("yaml", "nodes")]

AROUND = """\
workflow: WF_FRAGMENT_V0
summary: A fragment of the page.
intent: IN_BORROW_V0
start: {start}
fault: failed
nodes:
{nodes}exits:
  done: {{status: COMPLETED}}
  failed: {{status: FAILED}}
"""


@pytest.fixture
def lending(tmp_path: Path) -> Path:
    """The workspace that the page's files make."""
    for _, file, text in BLOCKS:
        if file and file != "nodes":
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return tmp_path


def test_every_block_of_yaml_and_python_is_used() -> None:
    """One that names no file and is no fragment would not be looked at."""
    assert [text for kind, file, text in BLOCKS if kind in ("yaml", "python") and not file] == []
    assert len(FRAGMENTS) >= 2


def test_the_page_compiles(lending: Path) -> None:
    found = compile_workspace(str(lending), shipped=str(ROOT))
    assert found.diagnostics == ()
    assert found.sealed is not None


@pytest.mark.parametrize("number", range(len(FRAGMENTS)))
def test_each_fragment_compiles(number: int, lending: Path) -> None:
    nodes = FRAGMENTS[number]
    start = nodes.partition(":")[0].strip()
    (lending / "protocols/lending/fragment.yaml").write_text(AROUND.format(start=start, nodes=nodes), "utf-8")
    assert compile_workspace(str(lending), shipped=str(ROOT)).diagnostics == ()


def test_the_scenarios_and_examples_of_the_page_hold(lending: Path) -> None:
    compilation = compile_workspace(str(lending), shipped=str(ROOT))
    report = run_scenarios(compilation, Workspace(lending).capabilities, selector="lending")
    assert report.ok, report.as_json()
    written = "".join(text for _, file, text in BLOCKS if file)
    assert len(report.scenarios) == len(re.findall("^test:", written, re.M)) >= 3 and report.examples == 1


@pytest.mark.parametrize(
    "word",
    [
        *SCHEMAS, *LATER_KINDS, *KEYWORDS, *FORMATS, *TYPES, *KEEPS, *STATUSES, *RESERVED_OUTCOMES,
        *(f"$.run.{name}" for name in RUN_FIELDS), *EFFECTS, *FUNCTIONS, *METHODS, *MACROS,
    ],
)  # fmt: skip
def test_the_page_names_every_word(word: str) -> None:
    """In code, as an author would write it (effect classes also in prose)."""
    spans = re.findall(r"`([^`\n]+)`", BLOCK.sub("", PAGE))
    assert any(re.search(rf"(?<![\w$]){re.escape(word)}(?!\w)", span) for span in spans) or word in ("PURE", "EXTERNAL")
