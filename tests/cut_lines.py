"""A line to PostgreSQL that can be cut: between a client and the server, at a word that the client sends.

Cut `before`, the server never hears the word; cut `after`, it has answered, and the client never hears the answer.
While the line is `dead`, whoever calls is hung up on.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator

from psycopg.conninfo import conninfo_to_dict


class Line:
    """Listens on a port of the loopback and passes everything on to the server of an address."""

    def __init__(self, address: str) -> None:
        self._to = conninfo_to_dict(address)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._word, self._after = b"", False
        self._then: Callable[[], object] = lambda: None
        self.dead = False
        self.cuts = 0
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def address(self) -> str:
        """The address of the same data root by way of this line."""
        to = self._to
        who = f"{to['user']}:{to['password']}" if to.get("password") else f"{to['user']}"
        more = str(to.get("options", "")).replace("=", "%3D").replace(" ", "%20")
        port = self._listening.getsockname()[1]
        return f"postgresql://{who}@127.0.0.1:{port}/{to['dbname']}?sslmode=disable&gssencmode=disable&options={more}"

    def cut(self, word: bytes, *, after: bool, then: Callable[[], object] = lambda: None) -> None:
        """Cut the line once when the client says a word; then do something before it is told."""
        self._word, self._after, self._then = word, after, then

    def drop(self) -> None:
        """Cut every call at once."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def close(self) -> None:
        """Hang up and listen no more."""
        self.dead = True
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.drop()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                if self.dead:
                    client.close()
                    continue
                server = self._called()
                self._open += [client, server]
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _called(self) -> socket.socket:
        host, port = str(self._to.get("host") or "localhost"), int(self._to.get("port") or 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError), client, server:
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(1 << 16)
                    if not data:
                        return
                    if end is client and self._word and self._word in data:
                        self._cut_here(client, server, data)
                        return
                    (server if end is client else client).sendall(data)

    def _cut_here(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        self._word = b""
        self.cuts += 1
        if self._after:
            server.sendall(data)
            server.recv(1 << 16)
        # The server notices that nobody is there before the client can call again.
        server.close()
        self._then()


@contextlib.contextmanager
def line_to(address: str) -> Iterator[Line]:
    """Give a line to the server of an address."""
    line = Line(address)
    try:
        yield line
    finally:
        line.close()
