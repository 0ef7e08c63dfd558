"""The workers at their pipes: one process for each peer, asked in turns."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from environments import HERE, python_of


class Worker:
    """One peer: its process, and where it keeps its records."""

    def __init__(self, peer: str, folder: Path, workspace: Path) -> None:
        self.peer = peer
        self.folder = folder / peer
        self.folder.mkdir()
        self.command = [python_of(peer), str(HERE / f"on_{peer}.py")]
        self.environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
        } | {"PEERS_WORKSPACE": str(workspace)}
        self._process: subprocess.Popen[str] | None = None
        self._said = self.folder / "stderr"

    def __enter__(self) -> Worker:
        """Start the process."""
        with self._said.open("a", encoding="utf-8") as said:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, encoding="utf-8",
                cwd=self.folder, env=self.environment,
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def load(self, work: str, recorded: bool) -> dict[str, Any]:
        """Make ready; return {n, path} of one run and how many files of it have {kept} something, or {cannot}."""
        folder = self.folder / f"{work}-{recorded}"
        folder.mkdir()
        before = self._kept()
        answer = self._ask({"do": "load", "work": work, "recorded": recorded, "folder": str(folder)})
        return answer | {"kept": len(self._kept() - before)}

    def run(self, work: str, recorded: bool, times: int) -> dict[str, Any]:
        """Do so many runs; return {n, wall, cpu}, the seconds of all together."""
        return self._ask({"do": "run", "work": work, "recorded": recorded, "times": times})

    def once(self, work: str, recorded: bool) -> dict[str, Any]:
        """Start a process that does one run and ends; return {n, wall}."""
        folder = self.folder / f"once-{time.monotonic_ns()}"
        folder.mkdir()
        command = [*self.command, "--once", work, "recorded" if recorded else "bare", str(folder)]
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=self.environment, capture_output=True, check=True)
        wall = time.perf_counter() - begun
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer | {"wall": wall}

    def _kept(self) -> set[tuple[str, int, int]]:
        found = ((str(file), file.stat()) for file in self.folder.rglob("*") if file.is_file() and file != self._said)
        return {(name, stat.st_size, stat.st_mtime_ns) for name, stat in found if stat.st_size}

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.peer} died:\n{self._said.read_text('utf-8')[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer
