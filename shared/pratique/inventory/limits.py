"""What one layer may cost: every number protects a scanner that reads what strangers push."""

from __future__ import annotations

from dataclasses import dataclass, field

from pratique.oci.layer_stream import StreamLimits
from pratique.oci.tar_stream import TarLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerLimits:
    """Limits of one pass over one layer. What exceeds one of the first five is a gap in the result, the rest end the pass with LimitExceeded.

    - `kept_bytes`: file bodies held for hard links and symbolic links at one time: memory;
    - `symlink_bytes`: text of symbolic links held to resolve links: memory;
    - `facts`: packages read out of one file: a record that claims millions of packages;
    - `gaps`: gaps listed one by one; the rest is counted in a last one;
    - `executables`: binaries and scripts listed: they are compared with what packages own;
    - `name_bytes`: text of whiteouts, opaque directories and wanted links held: memory;
    - `path_bytes`: text of all paths of one kind: memory;
    - `result_bytes`: size of the result: the memory of whoever takes it;
    - `stream` and `tar`: see there; `stream.cpu_seconds` is also the kernel's limit on the process;
    - `wait_seconds`: wall-clock time spent waiting for the process, not for the bytes: a process that hangs;
    - `memory_bytes`: address space of the process: what every other limit missed.
    """

    kept_bytes: int = 64 * 1024**2
    symlink_bytes: int = 16 * 1024**2
    facts: int = 200_000
    gaps: int = 500
    executables: int = 200_000
    name_bytes: int = 32 * 1024**2
    path_bytes: int = 96 * 1024**2
    result_bytes: int = 128 * 1024**2
    stream: StreamLimits = field(default_factory=StreamLimits)
    tar: TarLimits = field(default_factory=TarLimits)
    wait_seconds: float = 900.0
    memory_bytes: int = 512 * 1024**2
