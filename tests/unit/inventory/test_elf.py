"""Reading ELF files."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pratique.inventory.analyzers._elf import open_elf
from tests.support.executables import ALL_ELF, BASE, ElfSpec, make_elf, make_note

SECTIONS = {b".text": b"code" * 9, b".note.test": b"", b".data": b"hello", b".strange.data": b"other"}


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_a_section_is_found_by_its_whole_name_in_every_class_and_byte_order(bits: int, order: str) -> None:
    elf = open_elf(make_elf(ElfSpec(sections=SECTIONS, bits=bits, order=order)))

    assert elf is not None
    section = elf.section(b".data")
    assert section is not None
    assert (elf.content[section.offset : section.end], section.address) == (b"hello", BASE + section.offset)
    assert elf.section(b"data") is None
    assert elf.section(b".dat") is None
    assert elf.section(b".note.test") is None  # it has no bytes


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_an_address_is_looked_up_in_the_segments(bits: int, order: str) -> None:
    content = make_elf(ElfSpec(sections=SECTIONS, bits=bits, order=order))
    elf = open_elf(content)

    assert elf is not None
    place = elf.at(BASE + 10)
    assert place is not None
    assert (place.offset, place.end) == (10, len(content))
    assert elf.at(BASE - 1) is None
    assert elf.at(BASE + len(content)) is None


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_notes_are_told_apart_by_owner_and_kind(bits: int, order: str) -> None:
    notes = make_note(b"GNU\0", 3, b"id", order) + make_note(b"FDO\0", 3, b"x", order) + make_note(b"GNU\0", 4, b"four", order)
    elf = open_elf(make_elf(ElfSpec(sections={b".note": notes}, bits=bits, order=order, with_table=False)))

    assert elf is not None
    assert not elf.has_sections
    assert [elf.content[note.offset : note.end] for note in elf.notes(b"GNU\0", 4)] == [b"four"]
    assert not elf.has_note(b"FDO\0", 4)


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_symbols_are_found_by_the_end_of_their_names(bits: int, order: str) -> None:
    symbols = {b"main.version.str": (b".data", 5), b"other": (b".text", 4), b"str": (b".text", 1)}
    elf = open_elf(make_elf(ElfSpec(sections=SECTIONS, bits=bits, order=order, symbols=symbols)))

    assert elf is not None
    (symbol,) = elf.symbols(b"version.str")
    assert (symbol.name, symbol.size) == (b"main.version.str", 5)
    place = elf.at(symbol.address)
    assert place is not None
    assert elf.content[place.offset : place.offset + 5] == b"hello"


def test_more_sections_than_the_header_can_count_are_read() -> None:
    content = bytearray(make_elf(ElfSpec(sections=SECTIONS)))
    at = int.from_bytes(content[0x28:0x30], "little")
    count, names = content[0x3C], content[0x3E]
    content[at + 32 : at + 40], content[at + 40 : at + 44] = count.to_bytes(8, "little"), names.to_bytes(4, "little")
    content[0x3C:0x40] = b"\0\0\xff\xff"
    elf = open_elf(bytes(content))

    assert elf is not None
    assert elf.section(b".data") is not None


@pytest.mark.parametrize("offset", [2**20, 2**63, 2**64 - 1])
def test_a_table_of_sections_beyond_the_file_is_none(offset: int) -> None:
    content = bytearray(make_elf(ElfSpec(sections={b".text": b"x"})))
    content[40:48] = offset.to_bytes(8, "little")
    content[60:64] = b"\0\0\xff\xff"  # the first section header has the numbers

    elf = open_elf(bytes(content))
    assert elf is not None
    assert elf.section(b".text") is None


def test_a_section_without_bytes_in_the_file_is_none() -> None:
    """As in the separate debug files of distributions."""
    content = bytearray(make_elf(ElfSpec(sections={b".go.buildinfo": b"x" * 64})))
    at = int.from_bytes(content[0x28:0x30], "little")
    content[at + 64 + 4] = 8
    elf = open_elf(bytes(content))

    assert elf is not None
    assert elf.section(b".go.buildinfo") is None


SAMPLE = make_elf(ElfSpec(sections={**SECTIONS, b".note": make_note(b"GNU\0", 3, b"id")}, symbols={b"a.str": (b".data", 5)}))


def _ask_everything(content: bytes) -> None:
    elf = open_elf(content)
    if elf is None:
        return
    elf.section(b".data")
    elf.first_data()
    elf.at(BASE + 3)
    list(elf.notes(b"GNU\0", 3))
    list(elf.symbols(b".str"))
    elf.is_packed()


def test_any_cut_of_a_file_is_read_without_error() -> None:
    for size in range(len(SAMPLE)):
        _ask_everything(SAMPLE[:size])


@given(
    st.lists(
        st.tuples(st.integers(4, len(SAMPLE) - 8), st.sampled_from([b"\0", b"\xff", b"\xff" * 4, b"\xff" * 8, b"\0" * 8, b"\x01"])),
        max_size=6,
    )
)
@example([(40, b"\xff" * 8)])
@example([(32, b"\xff" * 8)])
def test_any_change_to_a_file_is_read_without_error(changes: list[tuple[int, bytes]]) -> None:
    content = bytearray(SAMPLE)
    for place, change in changes:
        content[place : place + len(change)] = change
    _ask_everything(bytes(content))


@given(st.binary(max_size=300))
def test_bytes_of_any_kind_are_no_error(content: bytes) -> None:
    _ask_everything(b"\x7fELF" + content)
