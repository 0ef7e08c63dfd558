"""The strict loader: what plain text means, what is refused and where, and what reading goes on with."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler import loader
from omnibachi_compiler.loader import is_hole, load
from omnibachi_compiler.phase import Source
from omnibachi_compiler.tree import Mapping, Scalar, Sequence, Tree, plain
from omnibachi_model.values import LIMIT, admit

STRINGS = """\
NO no on off yes Yes y True TRUE Null NULL ~ 010 0x1F 0o17 0b1 1_000 2026-01-01 2026-01-01T00:00:00Z .5 5. +1 .inf
-.inf .nan 1:30 12:30:45 1e 1.e3 -- -a 1.2.3 $.payload.x[0] a:b http://x/y#z"""

PARSERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if hasattr(yaml, "CSafeLoader") else [])]


@pytest.fixture(params=PARSERS, ids=lambda parser: parser.__name__)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with libyaml and with PyYAML's own parser: a wheel without libyaml must read the same."""
    monkeypatch.setattr(loader, "_PARSER", request.param)


def source(text: str | bytes) -> Source:
    data = text.encode("utf-8") if isinstance(text, str) else text
    return Source("protocols/shop/a.yaml", "shop", data)


def read(text: str) -> Tree:
    phase = load(source(text))
    assert phase.diagnostics == ()
    assert len(phase.value) == 1
    return phase.value[0]


def found(text: str | bytes) -> list[tuple[str, int, int]]:
    """Return (code, line, column) of every finding."""
    items = [(item.code, item.span) for item in load(source(text)).diagnostics]
    return [(code, span.line, span.column) for code, span in items if span is not None]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-0", 0),
        ("-12", -12),
        ("9007199254740991", LIMIT - 1),
        ("1.5", 1.5),
        ("-0.25", -0.25),
        ("2.0", 2),
        ("0.0", 0),
        ("1e3", 1000),
        ("1.5E+2", 150),
        ("2.5e-3", 0.0025),
    ],
)
def test_plain_scalars_that_json_spells_are_typed(text: str, value: object) -> None:
    tree = read(f"a: {text}")
    assert isinstance(tree, Mapping)
    scalar = tree.get("a")
    assert isinstance(scalar, Scalar)
    assert scalar.value == value
    assert type(scalar.value) is type(value)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("text", re.split(r"\s", STRINGS))
def test_every_other_plain_scalar_is_a_string(text: str) -> None:
    assert plain(read(f"a: {text}\n")) == {"a": text}


@pytest.mark.usefixtures("parser")
def test_quoted_and_block_scalars_are_strings() -> None:
    text = "a: '1'\nb: \"true\"\nc: ''\nd: |\n  1\n  2\ne: >-\n  x\n  y\nf: \"\\u00e9\\t\"\n"
    assert plain(read(text)) == {"a": "1", "b": "true", "c": "", "d": "1\n2\n", "e": "x y", "f": "é\t"}


@pytest.mark.usefixtures("parser")
def test_plain_keys_that_are_words_stay_text() -> None:
    assert plain(read("on: 1\nNO: 2\ny: 3\n010: 4\n'null': 5\n\"1\": 6\n")) == {
        "on": 1,
        "NO": 2,
        "y": 3,
        "010": 4,
        "null": 5,
        "1": 6,
    }


def spans(tree: Tree) -> list[tuple[object, tuple[int, int, int, int]]]:
    """List what stands where, in order of the text."""
    span = tree.span
    place = (span.line, span.column, span.end_line, span.end_column)
    if isinstance(tree, Scalar):
        return [(tree.value, place)]
    if isinstance(tree, Sequence):
        return [("[]", place), *(item for child in tree for item in spans(child))]
    listed: list[tuple[object, tuple[int, int, int, int]]] = [("{}", place)]
    for entry in tree:
        key = entry.key_span
        listed.append((f"{entry.key}:", (key.line, key.column, key.end_line, key.end_column)))
        listed.extend(spans(entry.value))
    return listed


@pytest.mark.usefixtures("parser")
def test_spans_count_characters_in_every_style() -> None:
    text = (
        "# größe\n"
        "ü: 'é\U0001f600'   # ä\n"
        'flow: {k: [1, "zwei"], l: drei vier}\n'
        "block: |\n"
        "  erste\n"
        "  zweite\n"
        "\n"
        "folded: eins\n"
        "  zwei\n"
        "list:\n"
        "  - a\n"
        "  - b: c\n"
    )
    assert spans(read(text)) == [
        ("{}", (2, 1, 12, 9)),
        ("ü:", (2, 1, 2, 2)),
        ("é\U0001f600", (2, 4, 2, 8)),
        ("flow:", (3, 1, 3, 5)),
        ("{}", (3, 7, 3, 37)),
        ("k:", (3, 8, 3, 9)),
        ("[]", (3, 11, 3, 22)),
        (1, (3, 12, 3, 13)),
        ("zwei", (3, 15, 3, 21)),
        ("l:", (3, 24, 3, 25)),
        ("drei vier", (3, 27, 3, 36)),
        ("block:", (4, 1, 4, 6)),
        ("erste\nzweite\n", (4, 8, 6, 9)),
        ("folded:", (8, 1, 8, 7)),
        ("eins zwei", (8, 9, 9, 7)),
        ("list:", (10, 1, 10, 5)),
        ("[]", (11, 3, 12, 9)),
        ("a", (11, 5, 11, 6)),
        ("{}", (12, 5, 12, 9)),
        ("b:", (12, 5, 12, 6)),
        ("c", (12, 8, 12, 9)),
    ]


@pytest.mark.usefixtures("parser")
def test_carriage_returns_before_line_feeds_do_not_move_spans() -> None:
    assert spans(read("a: 1\r\nb: zwei\r\n")) == [
        ("{}", (1, 1, 2, 8)),
        ("a:", (1, 1, 1, 2)),
        (1, (1, 4, 1, 5)),
        ("b:", (2, 1, 2, 2)),
        ("zwei", (2, 4, 2, 8)),
    ]


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1", [("OB106", 1, 4)]),
        ("a: 1\nb: *x", [("OB106", 2, 4)]),
        ("a: !!str x", [("OB106", 1, 4)]),
        ("a: !local {b: 1}", [("OB106", 1, 4)]),
        ("a: &x !!map {}", [("OB106", 1, 4), ("OB106", 1, 7)]),
        ("a: 1\n<<: {b: 1}", [("OB106", 2, 1)]),
        ("%YAML 1.2\n---\na: 1", [("OB106", 1, 1)]),
        ("%TAG ! tag:x,2000:\n---\na: 1", [("OB106", 1, 1)]),
        ("%SOMETHING x\n---\na: 1", [("OB106", 1, 1)]),
        ("? a\n: 1", [("OB106", 1, 1)]),
        ("? [a]\n: 1", [("OB106", 1, 3)]),
        ("{a: 1}: 2", [("OB106", 1, 1)]),
        ("a: *", [("OB106", 1, 4)]),
        ("a: 1\nb: 2\na: 3", [("OB107", 3, 1)]),
        ("x: {a: 1, 'a': 2}", [("OB107", 1, 11)]),
        ("1: a\ntrue: b\nnull: c\n1.5: d", [("OB108", 1, 1), ("OB108", 2, 1), ("OB108", 3, 1), ("OB108", 4, 1)]),
        ("a:\nb: 1", [("OB109", 1, 1)]),
        ("a: {b, c: }", [("OB109", 1, 5), ("OB109", 1, 8)]),
        ("a:\n  - 1\n  -\n  - 2", [("OB109", 3, 3)]),
        ("a: 9007199254740992", [("OB110", 1, 4)]),
        ("a: [-9007199254740992, 1e400, 1e-6, 1e-400, 1e15]", [("OB110", 1, n) for n in (5, 24, 31, 37)]),
        ("a: 1234567890123456.5", [("OB110", 1, 4)]),
        ("a: " + "9" * 100_000, [("OB110", 1, 4)]),
        ("", [("OB111", 1, 1)]),
        ("# nothing\n\n", [("OB111", 1, 1)]),
        ("---\n---\na: 1", [("OB111", 1, 1)]),
        ("a: 1\n---\n", [("OB111", 2, 1)]),
        ("a: x\x07y", [("OB112", 1, 5)]),
        ("a: x\u2028y\u0085", [("OB112", 1, 5), ("OB112", 1, 7)]),
        ("a: 1\rb: 2", [("OB112", 1, 5)]),
        ("a: x\ufeffy", [("OB112", 1, 5)]),
        ("\U0001f600: 1", [("OB112", 1, 1)]),
    ],
)
def test_refused_with_place(text: str, expected: list[tuple[str, int, int]]) -> None:
    assert found(text) == expected


@pytest.mark.usefixtures("parser")
def test_a_key_that_is_missing_is_refused() -> None:
    assert [code for code, _, _ in found("a: {? : 1}")] == ["OB106", "OB108"]


@pytest.mark.usefixtures("parser")
def test_half_a_surrogate_pair_is_refused() -> None:
    assert [code for code, _, _ in found('a: "x\\ud83d"')] == ["OB112"]


@pytest.mark.usefixtures("parser")
def test_a_duplicate_key_names_the_first() -> None:
    (item,) = load(source("a: 1\nb: 2\na: 3")).diagnostics
    ((span, label),) = item.related
    assert (span.line, span.column, label) == (1, 1, "first written here")


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("a: {b: $.x.y[0].z, c: 1}", (1, 8, 18), "`$.x.y[0].z` holds an index and must be quoted inside `{…}`"),
        ("a: [$.x[0]['k']]", (1, 5, 16), "`$.x[0]['k']` holds an index and must be quoted inside `[…]`"),
        ("a:\n  - {b: $['k']}", (2, 9, 15), "`$['k']` holds an index and must be quoted"),
        ("a: {b: c in [1, 2], d: e}", (1, 13, 14), "`,` or `}` is missing"),
        ("a: b: c", (1, 5, 6), "`:` cannot stand here"),
        ("a: 'x", (1, 6, 6), "never closed"),
        ("a: {b: 1", (1, 9, 9), "a mapping is never closed"),
        ("a: @x", (1, 4, 5), "cannot begin with `@`"),
        ("a: `x`", (1, 4, 5), "cannot begin with a backtick"),
        ("a:\n\t- b", (2, 1, 2), "a tab cannot indent"),
        ("a: ]", (1, 4, 5), "a value is expected"),
        ("a:\n  - b\n c: d", (3, 2, 3), "the indentation fits nothing above"),
        ("a: {b: 'x' y}", (1, 12, 13), "`,` or `}` is missing"),
    ],
)
def test_syntax_in_our_words(text: str, place: tuple[int, int, int], words: str) -> None:
    *_, item = load(source(text)).diagnostics
    assert item.code == "OB104"
    assert item.span is not None
    assert (item.span.line, item.span.column, item.span.end_column) == place
    assert words in item.message
    assert item.message[0].islower() or item.message[0] == "`"
    assert not item.message.endswith(".")


def test_a_path_that_needs_quotes_is_written_out_in_the_advice() -> None:
    (item,) = load(source("a: {b: $.x[0], c: 1}")).diagnostics
    assert item.help == 'write `"$.x[0]"`'
    assert plain(read('a: {b: "$.x[0]", c: 1}')) == {"a": {"b": "$.x[0]", "c": 1}}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a: 1\nb: \xff", [("OB102", 2, 4)]),
        ("é: \xff".encode("latin-1"), [("OB102", 1, 1)]),
        ("ü: é".encode() + b"\x80", [("OB102", 1, 5)]),
        (b"\xef\xbb\xbfa: 1", [("OB102", 1, 1)]),
        ("a: 1".encode("utf-16"), [("OB102", 1, 1)]),
        ("a: 1".encode("utf-16-le"), [("OB102", 1, 1)]),
        ("a: 1".encode("utf-32-be"), [("OB102", 1, 1)]),
        (b"\x7fELF\x02\x01\x01\x00", [("OB112", 1, n) for n in (1, 5, 6, 7, 8)]),
        (b"a: " + b"x" * loader.MAX_SOURCE_BYTES, [("OB103", 1, 1)]),
    ],
)
def test_bytes_that_are_no_source(data: bytes, expected: list[tuple[str, int, int]]) -> None:
    assert found(data) == expected
    assert load(source(data)).value == ()


def test_a_source_of_the_largest_size_is_read() -> None:
    text = "a: " + "x" * (loader.MAX_SOURCE_BYTES - 3)
    assert plain(read(text)) == {"a": text[3:]}


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000, "- ? " * 100_000], ids=repr
)
def test_nesting_bombs_are_refused(text: str) -> None:
    assert [code for code, _, _ in found(text[:300_000])][-1] == "OB105"


@pytest.mark.usefixtures("parser")
def test_sixty_four_levels_are_read_and_sixty_five_are_not() -> None:
    deepest = "[" * 64 + "]" * 64
    value = plain(read(deepest))
    assert admit(value) is value
    assert found("[" + deepest + "]") == [("OB105", 1, 65)]


@pytest.mark.usefixtures("parser")
def test_documents_before_one_that_cannot_be_read_are_kept() -> None:
    phase = load(source("a: 1\n---\nb: 2\n---\nc: {d: [}\n---\ne: 3\n"))
    assert [plain(tree) for tree in phase.value] == [{"a": 1}, {"b": 2}]
    assert [(item.code, item.span.line) for item in phase.diagnostics if item.span] == [("OB104", 5)]


@pytest.mark.usefixtures("parser")
def test_all_refusals_of_a_document_are_reported_and_the_rest_is_read() -> None:
    phase = load(source("a: &x 1\nb: *x\nc: 1\nc: 2\nd:\ne: 1e99\n---\nf: !t g\n"))
    assert [item.code for item in phase.diagnostics] == ["OB106", "OB106", "OB107", "OB109", "OB110", "OB106"]
    first, second = phase.value
    assert plain(first) == {"a": 1, "b": None, "c": 1, "d": None, "e": 0}
    assert plain(second) == {"f": "g"}
    assert isinstance(first, Mapping)
    assert [entry.key for entry in first if is_hole(entry.value.span)] == ["b", "d"]
    written = read("a: null")
    assert isinstance(written, Mapping)
    assert not any(is_hole(entry.value.span) for entry in written)


def json_values() -> st.SearchStrategy[object]:
    text = st.text(st.characters(codec="utf-8"), max_size=20)
    keys = st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=8)
    numbers = st.integers(-LIMIT + 1, LIMIT - 1) | st.floats(1e-5, 1e14).map(lambda value: round(value, 3) + 1)
    return st.recursive(
        st.none() | st.booleans() | numbers | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


@settings(max_examples=150, deadline=None)
@given(json_values())
def test_json_is_read_as_json_reads_it(value: object) -> None:
    """YAML holds JSON: what JSON writes in ASCII (without surrogate pairs) means the same here."""
    text = json.dumps(value)
    if "\\ud" in text:
        text = json.dumps(value, ensure_ascii=False)
    phase = load(source(text))
    if not any(item.code == "OB112" for item in phase.diagnostics):
        assert [plain(tree) for tree in phase.value] == [admit(json.loads(text))]


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(list("ab01-.:,[]{}&*!|>'\"%@`#?~<$ \n\t\\eé")), max_size=60))
def test_no_text_is_more_than_a_finding(text: str) -> None:
    """Whatever stands in a source, loading it gives trees and findings, never an exception; places lie inside."""
    phase = load(source(text))
    lines = text.split("\n")
    for item in phase.diagnostics:
        span = item.span
        assert span is not None
        assert 1 <= span.line <= len(lines)
        assert 1 <= span.column <= len(lines[span.line - 1]) + 1
        assert (span.line, span.column) <= (span.end_line, span.end_column)
    for tree in phase.value:
        admit(plain(tree))


def test_every_character_is_either_refused_or_read() -> None:
    """The parsers refuse no raw character that this loader lets through."""
    for code in [*range(0x3000), *range(0xD7F0, 0x10000), *range(0x1F5F0, 0x1F610), 0x10FFFF]:
        if 0xD800 <= code <= 0xDFFF:
            continue
        phase = load(source(f"a: 'x{chr(code)}y'"))
        codes = [item.code for item in phase.diagnostics]
        assert codes in ([], ["OB112"]) or (chr(code) == "'" and codes == ["OB104"])
