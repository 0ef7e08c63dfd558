"""A headless browser that a test talks with: pages are opened, asked, typed into and photographed, over a pipe.

It speaks the browser's own protocol (`--remote-debugging-pipe`: JSON, each message ended by a zero byte), so it needs
no further program and no open port. What the page says on its console and what its policy refuses is kept.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chromium import FLAGS, LONGEST, browser

KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowUp": 38, "ArrowDown": 40}


class Page:
    """One page of a browser. Made by `browsing`."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back = to, back
        self._rest, self._last, self._session = b"", 0, ""
        self.console: list[str] = []  # errors, warnings and violations of the page's policy
        self.asked: list[str] = []  # every address that the page asked for

    def begin(self) -> None:
        """Attach to the browser's one page."""
        until = time.monotonic() + LONGEST
        while not (pages := [one for one in self.do("Target.getTargets")["targetInfos"] if one["type"] == "page"]):
            assert time.monotonic() < until, "the browser opened no page"
        found = self.do("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **given: Any) -> dict[str, Any]:
        """Send one command and return what it answers."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": given}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (found := self._read()).get("id") != self._last:
            self._hear(found)
        assert "error" not in found, f"{method}: {found['error']}"
        return found["result"]  # type: ignore[no-any-return]

    def _read(self) -> dict[str, Any]:
        until = time.monotonic() + LONGEST
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._back], [], [], max(0.0, until - time.monotonic()))
            data = os.read(self._back, 1 << 20) if ready else b""
            assert data, "the browser says nothing more"
            self._rest += data
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)  # type: ignore[no-any-return]

    def _hear(self, said: dict[str, Any]) -> None:
        what, how = said.get("method"), said.get("params", {})
        if what == "Runtime.exceptionThrown":
            self.console.append(str(how["exceptionDetails"].get("exception", how["exceptionDetails"])))
        elif what == "Log.entryAdded" and how["entry"]["level"] != "verbose":
            self.console.append(f"{how['entry']['text']} {how['entry'].get('url', '')}")
        elif what == "Runtime.consoleAPICalled" and how["type"] in ("error", "warning", "assert"):
            self.console.append(str(how["args"]))
        elif what == "Network.requestWillBeSent":
            self.asked.append(how["request"]["url"])

    def look(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = self.do("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str, limit: float = 30.0) -> None:
        """Wait until an expression holds in the page."""
        end = time.monotonic() + limit
        while not self.look(f"Boolean({expression})"):
            assert time.monotonic() < end, f"not within {limit:g} s: {expression}\n{self.console}\n{self.text('body')}"
            time.sleep(0.02)

    def go(self, address: str) -> None:
        """Open an address, and wait until the page is there."""
        assert not self.do("Page.navigate", url=address).get("errorText")
        self.until("document.readyState === 'complete'")

    def text(self, selector: str) -> str:
        """Return the text of the first element that a selector finds, as it is shown; empty where there is none."""
        return str(self.look(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        text = {"text": "\r"} if key == "Enter" else {}
        self.do("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.do("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        """Write into what has the focus."""
        self.do("Input.insertText", text=text)

    def size(self, width: int, height: int = 900) -> None:
        """Give the page a size in pixels."""
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, **features: str) -> None:
        """Set what the reader prefers, such as `prefers_color_scheme="dark"`."""
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.do("Emulation.setEmulatedMedia", features=wanted)

    def photograph(self, path: str | Path, *, whole: bool = True) -> None:
        """Write a picture of the page, all of it or what the window shows, as PNG."""
        found = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(found["data"]))


@contextlib.contextmanager
def browsing(*flags: str) -> Iterator[Page]:
    """Start a browser with one empty page, and end it with all its children."""
    told, heard = os.pipe(), os.pipe()
    # The browser reads its commands from descriptor 3 and answers on 4.
    command = [
        sys.executable, "-c",
        "import os, sys\n"
        f"a, b = os.dup({told[0]}), os.dup({heard[1]})\n"
        "while a < 5 or b < 5: a, b = os.dup(a), os.dup(b)\n"
        "os.dup2(a, 3); os.dup2(b, 4); os.execv(sys.argv[1], sys.argv[1:])",
        browser(), *FLAGS, "--remote-debugging-pipe",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", *flags, "about:blank"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, pass_fds=(told[0], heard[1]),
        )  # fmt: skip
        os.close(told[0])
        os.close(heard[1])
        try:
            page = Page(told[1], heard[0])
            page.begin()
            yield page
        finally:
            os.close(told[1])
            os.close(heard[0])
            # Its children are of its own session; none of them outlives the test.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
