"""Examples that ask a server with `curl`: it is opened in their folder, in this process, and asked as they say.

`$ omnibachi serve gateway OPTIONS &` opens one over what ships, `$ omnibachi serve observer OPTIONS &` one that follows
nobody; `$ curl …` asks it, `$ kill %1` stops it. All is what the command does, but for the socket: requests go to the
application without one. Other lines are left to the caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import httpx2

from omnibachi import Workspace, serving_gateway, serving_observer, wiring

CURL, SERVE, KILL = "$ curl ", "$ omnibachi serve ", "$ kill "


def last_answer(lines: list[str], folder: Path, do: Callable[[str], Any]) -> tuple[int, Any]:
    """Do all lines in order; return the status and the JSON value that the last one was answered with."""
    answers: list[httpx2.Response] = []
    waiting = list(lines)
    while waiting:
        line = waiting.pop(0)
        if line.startswith(SERVE):
            asked = []
            while waiting and waiting[0].startswith(CURL):
                asked.append(waiting.pop(0))
            answers += _served(line, asked, folder)
        elif not line.startswith(KILL):
            do(line)
    return answers[-1].status_code, answers[-1].json()


def _served(line: str, asked: list[str], folder: Path) -> list[httpx2.Response]:
    which, *words = [word for word in shlex.split(line)[3:] if word != "&"]
    options = {name[2:].replace("-", "_"): value for name, value in zip(words[::2], words[1::2], strict=True)}
    answers: list[httpx2.Response] = []

    def serve(app: Any, *_: Any, **__: Any) -> float:
        answers.extend(asyncio.run(_all(app, asked)))
        return 5.0

    with (
        contextlib.chdir(folder), open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere),
        mock.patch.object(wiring, "serve", serve, create=True),
    ):  # fmt: skip
        workspace = Workspace.find()
        if which == "gateway":
            serving_gateway.serve_gateway(workspace, serving_gateway.Asked(**{"port": 0, **options}))  # type: ignore[arg-type]
        else:
            serving_observer.serve_observer(workspace, serving_observer.Asked(**{"port": 0, **options}), print)  # type: ignore[arg-type]
    return answers


async def _all(app: Any, lines: list[str]) -> list[httpx2.Response]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app)) as client:
        return [await client.send(_request(shlex.split(line)[2:])) for line in lines]


def _request(words: list[str]) -> httpx2.Request:
    """Make the request that curl would: `-d` and `--json` post a text or `@FILE`, `-H` is a header, `-X` a method."""
    method, url, data, headers = "", "", None, {}
    while words:
        word = words.pop(0)
        if word in ("-d", "--json"):
            text = words.pop(0)
            data = Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
            headers["content-type"] = "application/json" if word == "--json" else "application/x-www-form-urlencoded"
        elif word == "-H":
            name, _, value = words.pop(0).partition(":")
            headers[name.strip().lower()] = value.strip()
        elif word == "-X":
            method = words.pop(0)
        else:
            url = word
    return httpx2.Request(method or ("GET" if data is None else "POST"), url, headers=headers, content=data)
