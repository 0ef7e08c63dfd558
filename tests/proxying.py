"""A proxy between two programs that notes what is sent, cuts lines, and may refuse some of them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

BITE = 65_536


class Proxy:
    """Listens on loopback and passes bytes on to a place, which may change. `sent` is what each caller sent."""

    def __init__(self, place: tuple[str, int]) -> None:
        self.place = place
        self.sent: list[bytearray] = []
        self.refused: bytes = b"\0"  # a line that begins so is cut at once
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def requests(self) -> list[bytes]:
        """Return the first line of every request: whatever stands behind an empty line begins another."""
        return [head.split(b"\r\n")[0] for data in self.sent for head in bytes(data).split(b"\r\n\r\n") if head]

    def cut(self) -> None:
        """Cut every line that is open."""
        with self._lock:
            for side in self._open:
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        said = bytearray()
        self.sent.append(said)
        with contextlib.suppress(OSError), caller, socket.create_connection(self.place, 5) as other:
            other.settimeout(None)
            with self._lock:
                self._open |= {caller, other}
            back = threading.Thread(target=_pass_on, args=(other, caller), daemon=True)
            back.start()
            while data := caller.recv(BITE):
                said += data
                if data.startswith(self.refused):
                    break
                other.sendall(data)
            for side in (other, caller):
                with contextlib.suppress(OSError):
                    side.shutdown(socket.SHUT_RDWR)
            back.join()
        with self._lock:
            self._open = {side for side in self._open if side.fileno() != -1}


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(BITE):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def proxy(place: tuple[str, int]) -> Iterator[Proxy]:
    """Stand between whoever asks and a place."""
    found = Proxy(place)
    try:
        yield found
    finally:
        found.close()
