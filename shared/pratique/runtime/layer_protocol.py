"""What a layer pool and its child processes say to each other over two pipes.

To the child: a frame with a Job, then frames of the blob's bytes, then an empty frame. From the child: one frame with an Answer, which may come before
the blob has ended; the child then passes over the rest, so that the next job starts at a frame. A frame is four bytes of length, big-endian, and that
many bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import msgspec

from pratique.errors import DigestMismatch, InputError, InvalidLayer, LimitExceeded
from pratique.inventory.limits import LayerLimits
from pratique.oci.manifest import Layer

HEADER = struct.Struct(">I")
PIPE_BYTES = 1024 * 1024  # what Linux allows an unprivileged process (fs.pipe-max-size)
MAX_ANSWER_BYTES = 512 * 1024**2  # more than any limit lets a child answer: a child that was taken over

ERRORS: dict[str, type[InputError]] = {error.__name__: error for error in (InvalidLayer, DigestMismatch, LimitExceeded)}
"""The errors that an answer may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One look at one layer. `second_look` holds the paths that the first look asked for, None in a first look; `compares_contents` asks for every file's digests."""

    layer: Layer
    limits: LayerLimits
    second_look: tuple[str, ...] | None = None
    compares_contents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Exactly one of: an encoded LayerResult; paths for a second look; the name of an error with its message.

    `is_last` says that the child ends after this answer, to give its memory back.
    """

    result: bytes | None = None
    second_look: tuple[str, ...] = ()
    error: str = ""
    message: str = ""
    is_last: bool = False


ENCODER = msgspec.msgpack.Encoder()
JOB_DECODER = msgspec.msgpack.Decoder(Job)
ANSWER_DECODER = msgspec.msgpack.Decoder(Answer)
