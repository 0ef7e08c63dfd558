"""What a capability imports leaves the interpreter as it was."""

from __future__ import annotations

import sys
from pathlib import Path

from omnibachi.catalogue import Capabilities


def test_a_library_that_raises_the_recursion_limit_does_so_for_nobody_else(tmp_path: Path) -> None:
    """With a limit that the stack cannot hold, a payload that is nested too deep would end the process."""
    folder = tmp_path / "raising"
    folder.mkdir()
    (folder / "__init__.py").write_text("", "utf-8")
    text = "import sys\nsys.setrecursionlimit(100_000)\ndef answer(inputs):\n    return 'SUCCESS', {}\n"
    (folder / "answers.py").write_text(text, "utf-8")
    before = sys.getrecursionlimit()
    function = Capabilities(str(tmp_path)).function("raising.answers:answer")
    assert function({}) == ("SUCCESS", {})
    assert sys.getrecursionlimit() == before
