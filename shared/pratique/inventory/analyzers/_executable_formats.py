"""Which reader fits an executable, told by its first bytes."""

from __future__ import annotations

from collections.abc import Iterable

from pratique.inventory.analyzers._elf import open_elf
from pratique.inventory.analyzers._executable import ELF_MAGIC, FAT_MAGICS, MACHO_MAGICS, PE_MAGIC, Executable
from pratique.inventory.analyzers._macho import open_macho
from pratique.inventory.analyzers._pe import open_pe

EXECUTABLE_MAGICS = (ELF_MAGIC, PE_MAGIC, *MACHO_MAGICS, *FAT_MAGICS)


def open_executables(content: bytes) -> Iterable[Executable]:
    """Open a file as what its first bytes say: one ELF, PE or Mach-O file, or the several of a universal binary; nothing if it is none of them."""
    if content.startswith(ELF_MAGIC):
        elf = open_elf(content)
        return () if elf is None else (elf,)
    if content.startswith(PE_MAGIC):
        pe = open_pe(content)
        return () if pe is None else (pe,)
    return open_macho(content)
