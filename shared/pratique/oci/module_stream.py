"""A layer that is no archive but one WebAssembly module, as images for `wasi/wasm` have it, told to a visitor like a file of an archive.

Sources: WebAssembly core specification, "Modules" (binary format); runwasi's OCI layout for images.
"""

from __future__ import annotations

from pratique.errors import InvalidLayer
from pratique.oci.decompress import HEAD_BYTES, may_be_layer
from pratique.oci.tar_stream import HEAD_BYTES as SHOWN_BYTES
from pratique.oci.tar_stream import TarVisitor

MODULE_PATH = b"module.wasm"
"""What the file is called: such a layer gives it no name."""

_MAGIC = b"\0asm"
_MODE = 0o755


def is_module(start: bytes) -> bool:
    """Tell whether a layer's first HEAD_BYTES are those of a module, and no runtime could take it for an archive: a tar's first name may begin so too."""
    return start.startswith(_MAGIC) and not may_be_layer(start[:HEAD_BYTES])


class ModuleStream:
    """Tells a visitor of one file, in the blocks that are pushed into `feed`. `size` is what the layer's descriptor promises."""

    def __init__(self, visitor: TarVisitor, size: int, *, shows_pieces: bool = False) -> None:
        self.entries = 0
        self._visitor = visitor
        self._size = size
        self._shows_pieces = shows_pieces
        self._fed = 0
        self._missing = 0
        self._body = bytearray()

    def feed(self, block: memoryview) -> None:
        """Take the next bytes. Raises whatever the visitor raises."""
        if not self.entries:
            self.entries = 1
            wanted = self._visitor.visit_file(MODULE_PATH, self._size, _MODE, bytes(block[:SHOWN_BYTES]))
            self._missing = min(wanted, self._size)
        if self._shows_pieces:
            self._visitor.visit_piece(block[: max(self._size - self._fed, 0)])
        self._fed += len(block)
        if self._missing:
            part = block[: self._missing]
            self._body += part
            self._missing -= len(part)
            if not self._missing:
                self._visitor.visit_body(bytes(self._body))
                self._body.clear()

    def close(self) -> None:
        """Learn that the stream has ended.

        Raises InvalidLayer where it was compressed: then the file was told with a wrong size.
        """
        if self._fed != self._size:
            raise InvalidLayer(
                f"expected a WebAssembly module of {self._size} bytes as a layer, got {self._fed}: a compressed one is not read"
            )
