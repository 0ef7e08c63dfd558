"""The compiler's cases: every Markdown section under tests/cases is compiled, and finds exactly what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from omnibachi.compiling import compile_workspace

ROOT = Path(__file__).resolve().parent.parent
CASES = Path(__file__).parent / "cases"
PRELUDE = CASES / "prelude"
BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"# ((?:error|warning): .*)$")
EXPECTATION = re.compile(r'(error|warning): (OB\d{3})(?: \[(\d+)\])?(?: "((?:[^"\\]|\\.)*)")?')
PLACE = re.compile(r"(?P<file>\S+?):(?P<line>\d+): (?P<rest>.*)")


@dataclass(frozen=True)
class Expectation:
    file: str
    line: int
    severity: str
    code: str
    column: int | None
    text: str | None


@dataclass(frozen=True)
class Case:
    name: str
    files: dict[str, str]
    expected: tuple[Expectation, ...]


def _cases() -> list[Case]:
    found = []
    for path in sorted(CASES.glob("*.md")):
        if path.name == "README.md":
            continue
        for section in re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            title = section.splitlines()[0].strip()
            found.append(_case(f"{path.stem}: {title}", section))
    return found


def _case(name: str, section: str) -> Case:
    files: dict[str, str] = {}
    expected: list[Expectation] = []
    for kind, file, text in BLOCK.findall(section):
        if kind == "expect":
            for line in text.splitlines():
                place = PLACE.fullmatch(line.strip())
                assert place, f"{name}: cannot read the expectation {line!r}"
                expected.extend(_expectations(place["rest"], place["file"], int(place["line"])))
            continue
        file = file or "protocols/shop/case.yaml"
        files[file] = text
        for number, line in enumerate(text.splitlines(), 1):
            comment = COMMENT.search(line)
            if comment:
                expected.extend(_expectations(comment[1], file, number))
    assert files, f"{name}: a case has at least one block"
    return Case(name, files, tuple(expected))


def _expectations(text: str, file: str, line: int) -> list[Expectation]:
    found = EXPECTATION.findall(text)
    assert found, f"cannot read the expectation {text!r}"
    return [
        Expectation(file, line, severity, code, int(column) if column else None, words or None)
        for severity, code, column, words in found
    ]


CASE_LIST = _cases()


@pytest.mark.parametrize("case", CASE_LIST, ids=[case.name for case in CASE_LIST])
def test_case(case: Case, tmp_path: Path) -> None:
    for path in PRELUDE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            _write(tmp_path / path.relative_to(PRELUDE), path.read_bytes())
    for file, text in case.files.items():
        _write(tmp_path / file, text.encode("utf-8"))
    compilation = compile_workspace(str(tmp_path), shipped=str(ROOT))
    left = list(compilation.diagnostics)
    for wanted in case.expected:
        match = next((item for item in left if _fits(wanted, item)), None)
        shown = "\n".join(f"{item.severity} {item.code} {item.span} {item.message} / {item.help}" for item in left)
        assert match is not None, f"expected {wanted}; what was found:\n{shown}"
        left.remove(match)
    assert not left, "found and not expected:\n" + "\n".join(
        f"{item.severity} {item.code} {item.span} {item.message} / {item.help}" for item in left
    )
    has_errors = any(wanted.severity == "error" for wanted in case.expected)
    assert (compilation.sealed is None) == has_errors


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _fits(wanted: Expectation, item: object) -> bool:
    span = item.span  # type: ignore[attr-defined]
    place = (span.file, span.line) if span else ("", 0)
    words = f"{item.message} {item.help or ''}"  # type: ignore[attr-defined]
    return (
        place == (wanted.file, wanted.line)
        and item.severity == wanted.severity  # type: ignore[attr-defined]
        and item.code == wanted.code  # type: ignore[attr-defined]
        and (wanted.column is None or span.column == wanted.column)
        and (wanted.text is None or wanted.text in words)
    )
