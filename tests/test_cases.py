"""The compiler's cases: every Markdown section under tests/cases is compiled, and finds exactly what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from omnibachi.compiling import compile_workspace
from omnibachi_model.codes import table
from omnibachi_model.diagnostics import Diagnostic

ROOT = Path(__file__).resolve().parent.parent
CASES = Path(__file__).parent / "cases"
PRELUDE = CASES / "prelude"
BLOCK = re.compile(r"^```(\w+)(?: +(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMES = re.compile(r"^(.*?) *# times: (\d+)\n", re.MULTILINE)
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
    files: dict[str, bytes | Path]  # a path is what a link leads to
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
    files: dict[str, bytes | Path] = {}
    expected: list[Expectation] = []
    for kind, file, text in BLOCK.findall(section):
        if kind == "expect":
            for line in text.splitlines():
                place = PLACE.fullmatch(line.strip())
                assert place, f"{name}: cannot read the expectation {line!r}"
                expected.extend(_expectations(place["rest"], place["file"], int(place["line"])))
            continue
        file = file or "protocols/shop/case.yaml"
        if kind == "hex":
            files[file] = bytes.fromhex(text)
            continue
        if kind == "link":
            files[file] = Path(text.strip())
            continue
        text = TIMES.sub(lambda line: "".join(line[1].replace("{n}", str(n)) + "\n" for n in range(int(line[2]))), text)
        files[file] = text.encode("utf-8")
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
# Raised elsewhere: payloads, and what commands look up by name.
NOT_COMPILING = {"OB120", "OB121", "OB122", "OB123", "OB124", "OB311", "OB315", "OB316"}


def test_every_code_of_the_compiler_has_a_case() -> None:
    provoked = {wanted.code for case in CASE_LIST for wanted in case.expected}
    compiling = {code for code in table() if code < "OB600"} - NOT_COMPILING
    assert sorted(compiling - provoked) == []


@pytest.mark.parametrize("case", CASE_LIST, ids=[case.name for case in CASE_LIST])
def test_case(case: Case, tmp_path: Path) -> None:
    """The findings and the expectations are the same; there is a snapshot exactly when no error is expected."""
    found, sealed = _compiled(case, tmp_path)
    assert list(found) == sorted(found, key=lambda item: item.key())
    left = list(found)
    for wanted in case.expected:
        match = next((item for item in left if _fits(wanted, item)), None)
        shown = "\n".join(f"{item.severity} {item.code} {item.span} {item.message} / {item.help}" for item in left)
        assert match is not None, f"expected {wanted}; what was found:\n{shown}"
        left.remove(match)
    assert not left, "found and not expected:\n" + "\n".join(
        f"{item.severity} {item.code} {item.span} {item.message} / {item.help}" for item in left
    )
    has_errors = any(wanted.severity == "error" for wanted in case.expected)
    assert sealed != has_errors


def _compiled(case: Case, folder: Path) -> tuple[tuple[Diagnostic, ...], bool]:
    """Lay a case over the prelude and compile: (findings, whether it was sealed)."""
    for path in PRELUDE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            _write(folder / path.relative_to(PRELUDE), path.read_bytes())
    for file, data in case.files.items():
        _write(folder / file, data)
    compilation = compile_workspace(str(folder), shipped=str(ROOT))
    return compilation.diagnostics, compilation.sealed is not None


def _write(path: Path, data: bytes | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, Path):
        path.symlink_to(data)
    else:
        path.write_bytes(data)


def _fits(wanted: Expectation, item: Diagnostic) -> bool:
    span = item.span
    words = f"{item.message} {item.help or ''} {', '.join(item.path)}"
    return (
        span is not None
        and (span.file, span.line) == (wanted.file, wanted.line)
        and item.severity == wanted.severity
        and item.code == wanted.code
        and (wanted.column is None or span.column == wanted.column)
        and (wanted.text is None or wanted.text in words)
    )
