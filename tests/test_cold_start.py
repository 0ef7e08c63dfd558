"""What `omnibachi run` imports: nothing that costs more than it gives; and a Ctrl-C while it imports.

Compared with a bare interpreter that imported orjson, hashlib and sqlite3, a run may load rooms of the house and a
short list of small modules. Nothing is timed here; `benchmarks/cold.py` does that.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BARE = "import orjson, hashlib, sqlite3"
RUN = """
import sys
from omnibachi.__main__ import main
status = main({arguments!r})
"""
SHOW = """
import json, sys
sys.stderr.write(json.dumps(sorted(sys.modules)))
"""
ROOMS = ("omnibachi", "omnibachi_model", "omnibachi_runtime", "omnibachi_ledger", "omnibachi_capabilities",
         "omnibachi_observer")  # fmt: skip
ALLOWED = {"__future__", "errno", "fcntl", "gc", "html", "html.entities"}
FORBIDDEN = ("typing", "click", "rich", "pathlib", "logging", "yaml", "jsonschema", "networkx", "graphviz",
             "graphviz_pure", "jsonpath_ng", "subprocess", "tempfile", "shutil", "argparse", "traceback", "tomllib",
             "omnibachi_compiler", "omnibachi_audit", "omnibachi.commands", "omnibachi_model.codes",
             "omnibachi_model.ports", "omnibachi_observer.picture")  # fmt: skip
REGISTER = "blockchain::WF_REGISTER_ACTOR_UNVERIFIED_V0"


def loaded(code: str, cwd: Path) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code + SHOW], cwd=cwd, capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr))


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory, checkout: Path) -> set[str]:
    """Return the modules that a run adds to the bare interpreter's."""
    folder = tmp_path_factory.mktemp("cold")
    arguments = ["run", "--no-picture", "--wf", REGISTER, "--payload", str(checkout / "examples/register_actor.json")]
    ran = loaded(RUN.format(arguments=arguments) + "assert status == 0\n", folder)
    assert (folder / "traces").is_dir() and (folder / "data/store.db").exists()
    return ran - loaded(BARE, folder)


def test_a_run_adds_rooms_of_the_house_and_a_short_list(added: set[str]) -> None:
    foreign = {name for name in added if name.partition(".")[0] not in ROOMS}
    assert foreign <= ALLOWED


def test_a_run_imports_nothing_that_is_slow(added: set[str]) -> None:
    assert {name for name in added for slow in FORBIDDEN if name == slow or name.startswith(slow + ".")} == set()


def test_modules_on_the_run_path_define_no_dataclass_and_import_typing_for_checkers_only(added: set[str]) -> None:
    import importlib.util

    own = sorted(name for name in added if name.partition(".")[0] in ROOMS)
    assert len(own) > 20
    for name in own:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        for node in ast.parse(Path(spec.origin).read_text("utf-8")).body:
            assert not _imports(node) & {"dataclasses", "typing"}, name


def _imports(node: Any) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    return {str(node.module)} if isinstance(node, ast.ImportFrom) else set()


def test_the_package_itself_loads_nothing_until_asked(tmp_path: Path) -> None:
    names = loaded("import omnibachi\n", tmp_path) - loaded("", tmp_path)
    assert {name for name in names if name.startswith("omnibachi")} == {"omnibachi"}


def test_every_public_name_can_be_had() -> None:
    import omnibachi

    for name in omnibachi.__all__:
        assert getattr(omnibachi, name) is not None
    assert set(omnibachi.__all__) <= set(dir(omnibachi))
    with pytest.raises(AttributeError):
        _ = omnibachi.Nothing


WHILE_LOADING = """
import os, signal, sys
from omnibachi.__main__ import main

class Interrupting:
    def find_spec(self, name, *_):
        if name == "uuid":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.exit(main())
"""


@pytest.mark.parametrize("command", ["run", "compile"])
def test_ctrl_c_while_modules_are_loaded_is_told_and_no_crash(tmp_path: Path, command: str) -> None:
    """orjson asks for `uuid` while it is set up, and takes the process with it when that is broken off."""
    for more in ([], ["--json"]):
        words = [sys.executable, "-c", WHILE_LOADING, command, *more]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, timeout=60)
        assert done.returncode == 130, done
        if more:
            assert [item["code"] for item in json.loads(done.stdout)["diagnostics"]] == ["OB745"]
        else:
            assert done.stderr.startswith(b"error[OB745] interrupted: ") and b"Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
