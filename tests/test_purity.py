"""The purity check, and what is read off the source of implementations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnibachi_compiler.catalogue import read_catalogue
from omnibachi_compiler.declarations import Name
from omnibachi_compiler.implementations import closure, outcomes_returned
from omnibachi_compiler.impure import MEMORY
from omnibachi_compiler.phase import Implementation
from omnibachi_compiler.purity import check_purity, impurities
from omnibachi_model import codes
from omnibachi_model.diagnostics import Span


def touches(source: str) -> list[tuple[int, int, str, str]]:
    """Return (line, column, what, text) of every place."""
    return [(item.line, item.column, item.what, item.text) for item in impurities(source.encode(), "shop.fees")]


@pytest.mark.parametrize(
    ("source", "line", "column", "what", "text"),
    [
        ("import time", 1, 1, "the clock", "import time"),
        ("import time as t\nt.time()", 1, 1, "the clock", "import time"),
        ("from time import time as now", 1, 1, "the clock", "from time import time"),
        ("def f():\n    import random\n    return random.random()", 2, 5, "chance", "import random"),
        ("from datetime import datetime as dt\nx = dt.now()", 2, 5, "the clock", "dt.now"),
        ("import datetime\nx = datetime.datetime.utcnow()", 2, 5, "the clock", "datetime.datetime.utcnow"),
        ("import datetime as d\nx = d.date.today", 2, 5, "the clock", "d.date.today"),
        ("import datetime\nD = datetime.datetime\ndef f():\n    return D.now()", 4, 12, "the clock", "D.now"),
        ("from os import *", 1, 1, "the environment", "from os import *"),
        ("import uuid\nx = uuid.uuid4()", 2, 5, "chance", "uuid.uuid4"),
        ("from uuid import uuid1", 1, 1, "chance", "from uuid import uuid1"),
        ("import secrets", 1, 1, "chance", "import secrets"),
        ("import os\nx = os.environ['HOME']", 2, 5, "the environment", "os.environ"),
        ("import os\nx = os.urandom(4)", 2, 5, "chance", "os.urandom"),
        ("import os\nx = getattr(os, 'environ')", 2, 13, "the environment", "os"),
        ("from os import path, getcwd", 1, 1, "the environment", "from os import getcwd"),
        ("import os.path\nx = os.path.exists('a')", 2, 5, "files", "os.path.exists"),
        ("from os.path import abspath", 1, 1, "the environment", "from os.path import abspath"),
        ("import sys\nx = sys.argv", 1, 1, "the environment", "import sys"),
        ("x = open('a')", 1, 5, "files", "open"),
        ("import builtins\nx = builtins.open('a')", 2, 5, "files", "builtins.open"),
        ("from pathlib import Path", 1, 1, "files", "from pathlib import Path"),
        ("import tempfile", 1, 1, "files", "import tempfile"),
        ("import urllib.request", 1, 1, "the network", "import urllib.request"),
        ("from urllib import request", 1, 1, "the network", "from urllib import request"),
        ("import socket", 1, 1, "the network", "import socket"),
        ("import http.client", 1, 1, "the network", "import http.client"),
        ("import subprocess", 1, 1, "other processes", "import subprocess"),
        ("import threading", 1, 1, "other threads", "import threading"),
        ("import importlib", 1, 1, "code that is not sealed", "import importlib"),
        ("x = __import__('os')", 1, 5, "code that is not sealed", "__import__"),
        ("x = getattr(__builtins__, 'open')", 1, 13, "code that is not sealed", "__builtins__"),
        ("x = eval('1')", 1, 5, "code that is not sealed", "eval"),
        ("print(1)", 1, 1, "the terminal", "print"),
        ("x = input()", 1, 5, "the terminal", "input"),
        ("x = hash('a')", 1, 5, MEMORY, "hash"),
        ("x = sorted([], key=id)", 1, 20, MEMORY, "id"),
        ("class A:\n    def id(self):\n        return id(self)", 3, 16, MEMORY, "id"),
        ("def f():\n    global N\n    N = 1", 2, 5, "the state of its module", "global N"),
        ("SEEN = {}\ndef f(x):\n    SEEN[x] = 1", 3, 5, "the state of its module", "SEEN[x]"),
        ("SEEN = []\ndef f(x):\n    SEEN.append(x)", 3, 5, "the state of its module", "SEEN.append(x)"),
        ("SEEN: set[str] = set()\ndef f(x):\n    del SEEN[x]", 3, 9, "the state of its module", "SEEN[x]"),
        ("def f(x):\n    return x.astimezone()", 2, 12, "the environment", "x.astimezone()"),
        ("ü = 'é'; x = open(ü)", 1, 14, "files", "open"),
    ],
)  # fmt: skip
def test_what_a_transform_may_not_touch(source: str, line: int, column: int, what: str, text: str) -> None:
    assert touches(source) == [(line, column, what, text)]


@pytest.mark.parametrize(
    "source",
    [
        "import math, re, hashlib, json, decimal, fractions, itertools, functools, collections, unicodedata",
        "from datetime import datetime, timezone\nx = datetime.fromisoformat('2026-01-01').astimezone(timezone.utc)",
        "import datetime\nx = datetime.datetime.fromtimestamp(1, tz=datetime.timezone.utc)",
        "import uuid\nx = uuid.uuid5(uuid.NAMESPACE_DNS, 'a')",
        "import os\nx = os.path.join('a', 'b')",
        "import posixpath\nx = posixpath.normpath('a')",
        "from pathlib import PurePosixPath\nx = PurePosixPath('a')",
        "import pathlib\nx = pathlib.PurePath('a')",
        "from urllib.parse import urlsplit\nimport urllib.parse\nx = urllib.parse.quote('a')",
        "import io\nx = io.BytesIO()",
        "def f(id, input, hash):\n    return id + input + hash",
        "def f(items):\n    return [id for id in items]",
        "def open(x):\n    return x\n\ndef f(x):\n    return open(x)",
        "TABLE = {'a': 1}\ndef f(x):\n    return TABLE[x]",
        "SEEN = []\ndef f(x):\n    SEEN = []\n    SEEN.append(x)\n    return SEEN",
        "def f(seen):\n    seen.append(1)\n    seen['a'] = 2",
        "TABLE = {}\nTABLE['a'] = 1",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import socket\n",
        "if __name__ == '__main__':\n    import sys\n    print(sys.argv)",
        "from . import time\nx = time.now()",
        "from .random import pick",
        "class A:\n    now = 1\n\nx = A.now",
        "time = 5\nx = time",
        "this is no python (",
    ],
)
def test_what_is_pure(source: str) -> None:
    assert touches(source) == []


def test_long_sources_do_not_exhaust_the_reader() -> None:
    assert touches("x = " + " + ".join(["1"] * 5000)) == []
    assert (
        touches("x = [] \ndef f():\n    x.append(" + " + ".join(["1"] * 2000) + ")")[0][2] == "the state of its module"
    )


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_read_or_passed_over(data: bytes) -> None:
    impurities(data, "shop.fees")
    assert outcomes_returned(data, "f") in (None, set())


def test_the_finding_stands_at_the_declaration_and_points_into_the_source() -> None:
    name = Name("CT_FEE_V0", Span("protocols/shop/fee.yaml", 3, 12, 3, 21))
    modules = {"shop": b"", "shop.fees": b"from .when import now\n", "shop.when": b"import time\nnow = time.time\n"}
    implementation = Implementation("shop.fees", "fee", 1, modules)
    pure = Implementation("shop.other", "other", 1, {"shop.other": b"import math\n"})
    (item,) = check_purity([(name, implementation), (name, pure)], lambda module: module.replace(".", "/") + ".py")
    assert (item.code, item.span) == ("OB408", name.span)
    assert item.message == "`CT_FEE_V0` touches the clock: `import time` in `shop.when`, line 1"
    ((span, label),) = item.related
    assert (span.file, span.line, span.column, label) == ("shop/when.py", 1, 1, "touches the clock")


def test_the_example_of_the_code_provokes_it() -> None:
    assert touches(codes.table()["OB408"].example)


FILES = {
    "shop": b"VERSION = 1\n",
    "shop.catalogue": b"from . import fees, prices\nfrom .tax import vat\n",
    "shop.fees": b"import json\nimport other.thing\nfrom shop.tax.rates import RATE, low\nfrom .prices import price\n",
    "shop.prices": b"def price():\n    from . import rounding\n    return rounding.up\n",
    "shop.rounding": b"",
    "shop.tax": b"from . import rates\nfrom .vat import vat\n",
    "shop.tax.rates": b"from .. import VERSION\nfrom ..fees import fee\n",
    "shop.tax.rates.low": b"",
    "shop.tax.vat": b"TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from shop import unused\nfrom .low import x\n",
    "shop.tax.low": b"",
    "shop.low": b"",
    "shop.unused": b"import shop.fees\n",
    "other": b"",
    "other.thing": b"",
    "single": b"import json\n",
    "broken": b"this is no python (",
}


@pytest.mark.parametrize(
    ("module", "reached"),
    [
        ("single", ["single"]),
        ("broken", ["broken"]),
        ("missing", []),
        ("shop.rounding", ["shop", "shop.rounding"]),
        ("shop.prices", ["shop", "shop.prices", "shop.rounding"]),
        ("shop.tax.low", None),
        ("shop.fees", None),
    ],
)
def test_the_closure_of_a_module(module: str, reached: list[str] | None) -> None:
    everything = [
        name for name in FILES if name.startswith("shop") and name not in ("shop.catalogue", "shop.unused", "shop.low")
    ]
    found = closure(module, FILES.get)
    assert list(found) == (sorted(everything) if reached is None else reached)
    assert all(found[name] == FILES[name] for name in found)


def test_a_module_too_many_rather_than_one_too_few() -> None:
    """`shop.tax.rates` may be a module or a package, so `..fees` may be either of two; both are sealed."""
    files = {"shop.tax.rates": b"from ..fees import fee\n", "shop.tax.fees": b"", "shop.fees": b""}
    assert list(closure("shop.tax.rates", files.get)) == ["shop.fees", "shop.tax.fees", "shop.tax.rates"]
    files["shop.tax.rates"] += b"from .low import x\n"
    files["shop.tax.rates.low"] = b""
    assert list(closure("shop.tax.rates", files.get)) == ["shop.tax.fees", "shop.tax.rates", "shop.tax.rates.low"]


def test_the_closure_asks_only_for_modules_of_its_own_package() -> None:
    asked: list[str] = []

    def read(name: str) -> bytes | None:
        asked.append(name)
        return FILES.get(name)

    closure("shop.fees", read)
    assert {name.partition(".")[0] for name in asked} == {"shop"}


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [
        ("return 'SUCCESS', {}", {"SUCCESS"}),
        ("return ('SUCCESS', {}) if x else ('NOT_FOUND', {})", {"SUCCESS", "NOT_FOUND"}),
        ("return ('SUCCESS' if x else 'NOT_FOUND'), {}", {"SUCCESS", "NOT_FOUND"}),
        ("if x:\n        return 'A', {}\n    for y in x:\n        return 'B', y\n    raise ValueError", {"A", "B"}),
        ("def g():\n        return 'INNER', {}\n    return GOOD, {}", {"SUCCESS"}),
        ("return (lambda: 'X')()", None),
        ("return x", None),
        ("return x, {}", None),
        ("return", {""}),
        ("return 'A', {}, 1", None),
        ("return OTHER, {}", None),
        ("return 5, {}", None),
        ("yield 'A', {}", {""}),
        ("raise ValueError", set()),
    ],
)
def test_the_outcomes_that_a_function_returns(body: str, outcomes: set[str] | None) -> None:
    source = f"GOOD = 'SUCCESS'\nOTHER = 'A'\nOTHER = 'B'\n\ndef f(x):\n    {body}\n"
    assert outcomes_returned(source.encode(), "f") == outcomes


def test_outcomes_are_not_told_of_what_is_no_plain_function() -> None:
    for source in ("@cache\ndef f(x):\n    return 'A', {}\n", "f = lambda x: ('A', {})\n", "def g(): ...\n", "def ("):
        assert outcomes_returned(source.encode(), "f") is None


def test_a_module_is_read_once_however_many_functions_it_holds() -> None:
    """A catalogue of a thousand functions must not cost a thousand readings."""
    asked: list[str] = []
    functions = "".join(f"def f{number}(inputs):\n    return 'SUCCESS', {{}}\n" for number in range(20))
    entries = "".join(f"'shop::CT_F{number}_V0': fees.f{number}, " for number in range(20))
    files = {
        "shop": b"",
        "shop.fees": functions.encode(),
        "shop.catalogue": f"from . import fees\nCATALOGUE = {{{entries}}}\n".encode(),
    }

    def read(name: str) -> bytes | None:
        asked.append(name)
        return files.get(name)

    phase = read_catalogue("shop", read, lambda module: module)
    assert not phase.diagnostics
    assert {entry.function for entry in phase.value.values()} == {f"f{number}" for number in range(20)}
    assert len(asked) == len(set(asked))
