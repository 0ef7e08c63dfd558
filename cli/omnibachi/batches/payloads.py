"""The payloads of a batch: a file of JSON Lines, or standard input, read in chunks that are always cut alike."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, NamedTuple

from omnibachi.exits import FINDINGS
from omnibachi_model.diagnostics import Diagnostic, Refused
from omnibachi_model.values import MAX_PAYLOAD_BYTES

PIECE = 1024 * 1024
MOST_LINES = 500  # in a chunk
LEAST_CHUNKS = 64  # of a batch that has as many lines
MOST_BYTES = 4 * 1024 * 1024  # after which a chunk is closed
MOST_KEPT = MAX_PAYLOAD_BYTES + 1  # bytes of a line: one more than is taken, which tells it from one that is
TOO_LONG = b"\0"  # is kept of a line that no payload can be


class Chunk(NamedTuple):
    """Some lines of a batch: the number of the chunk from 0, and (number of the line from 1, its bytes)."""

    number: int
    lines: list[tuple[int, bytes]]


class Payloads:
    """The lines of a batch, blank ones left out: how many there are, the digest of all bytes, and chunks of them."""

    def __init__(self, name: str) -> None:
        """Read `name`, `-` for standard input, once; raises Refused (OB120)."""
        self.name = "standard input" if name == "-" else f"`{name}`"
        whole = hashlib.sha256()
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile() if name == "-" else open(name, "rb")  # noqa: SIM115
            try:
                while name == "-" and (piece := sys.stdin.buffer.read(PIECE)):
                    self._file.write(piece)
                self.count = sum(1 for _ in self._lines(whole))
            except BaseException:
                self.close()
                raise
        except (OSError, ValueError) as error:
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            message = f"{self.name} cannot be read: {reason}"
            raise Refused([Diagnostic("OB120", message, help="check the path")], FINDINGS) from None
        self.digest = f"sha256:{whole.hexdigest()}"

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self) -> Iterator[Chunk]:
        """Give the chunks in order; raises Refused (OB756) at the end of a file that was changed since it was read."""
        most = max(1, min(MOST_LINES, -(-self.count // LEAST_CHUNKS)))
        whole = hashlib.sha256()
        number, lines, size = 0, [], 0
        for line in self._lines(whole):
            lines.append(line)
            size += len(line[1])
            if len(lines) >= most or size >= MOST_BYTES:
                yield Chunk(number, lines)
                number, lines, size = number + 1, [], 0
        if lines:
            yield Chunk(number, lines)
        if f"sha256:{whole.hexdigest()}" != self.digest:
            message = f"{self.name} was changed while the batch ran"
            help = "give the command again: it begins another batch, with what is there now"
            raise Refused([Diagnostic("OB756", message, help=help)])

    def _lines(self, whole: hashlib._Hash) -> Iterator[tuple[int, bytes]]:
        """Give (number, bytes) of each line; pieces are cut all at once, since this is what the workers wait for."""
        self._file.seek(0)
        ended, begun, cut = 0, b"", False  # the line that no piece has ended yet, and whether it is too long already
        while piece := self._file.read(PIECE):
            whole.update(piece)
            *lines, begun = (begun + piece).split(b"\n")
            for number, line in enumerate(lines, ended + 1):
                if cut or len(line) > MOST_KEPT:
                    yield number, TOO_LONG
                    cut = False
                elif line.strip():
                    yield number, line.rstrip(b"\r")
            ended += len(lines)
            if cut or len(begun) > MOST_KEPT:
                begun, cut = b"", True
        if cut or begun.strip():
            yield ended + 1, TOO_LONG if cut else begun.rstrip(b"\r")
