"""What child processes that read strangers' bytes have in common: nothing secret, and an end with their parent."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_INHERITED = ("LD_LIBRARY_PATH", "PYTHONHOME")  # what the interpreter itself may need to start
_PR_SET_PDEATHSIG = 1


def child_environment(**more: str) -> dict[str, str]:
    """Give what a child is given: the import path, nothing secret, and `more`."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "PYTHONPATH": os.pathsep.join(place or str(Path.cwd()) for place in sys.path), **more}


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent, of this process id, ends. To be called in the child, first."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit("the parent has gone")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides


def bound_resource(kind: int, limit: int) -> None:
    """Lower a limit of the kernel for this process to `limit`, or to the hard one if that is lower."""
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
