"""The packaging note of ELF files."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers.elf_package import MAX_BYTES, parse
from pratique.inventory.package import Package
from tests.support.executables import ALL_ELF, ElfSpec, make_elf, make_note
from tests.support.layer_results import layer_file, read

KIND = 0xCAFE1A7E
DEBIAN = '{"type":"deb","os":"debian","name":"systemd","version":"252.38-1~deb12u1","architecture":"amd64","debugInfoUrl":"https://x"}'
FEDORA = '{"type":"rpm","name":"coreutils","version":"9.1-8.fc37","architecture":"x86_64","osCpe":"cpe:/o:fedoraproject:fedora:37"}'
PLAIN = {
    "type": "hotfix",
    "name": "tool",
    "version": "1.2",
    "vendor": "Example\nCorp.",
    "license": "MIT",
    "cpe": "cpe:2.3:a:example:tool:1.2:*:*:*:*:*:*:*",
    "appCpe": "cpe:/a:x",
}


def with_note(text: str | bytes, order: str = "<", bits: int = 64) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    note = make_note(b"FDO\0", KIND, raw + b"\0" * (4 - len(raw) % 4), order)
    return make_elf(ElfSpec(sections={b".text": b"x", b".note.package": note}, bits=bits, order=order))


def package(content: bytes) -> Package:
    (found,) = parse(layer_file("usr/bin/tool", content))
    assert isinstance(found, Package)
    return found


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_the_package_is_read_in_every_class_and_byte_order(bits: int, order: str) -> None:
    found = package(with_note(DEBIAN, order, bits))

    assert found.purl == "pkg:deb/debian/systemd@252.38-1~deb12u1?arch=amd64&distro=debian"
    assert found.is_os_package


def test_the_distribution_is_read_from_its_cpe() -> None:
    assert package(with_note(FEDORA)).purl == "pkg:rpm/fedora/coreutils@9.1-8.fc37?arch=x86_64&distro=fedora-37"


def test_packages_of_no_distribution_are_generic_and_keep_what_describes_them() -> None:
    found = package(with_note(json.dumps(PLAIN)))

    assert (found.purl, found.vendor, found.licenses) == ("pkg:generic/tool@1.2", "Example Corp.", ("MIT",))
    assert found.cpes == ("cpe:2.3:a:example:tool:1.2:*:*:*:*:*:*:*",)


def test_the_note_is_found_without_a_table_of_sections_and_at_the_head_of_large_files() -> None:
    note = make_note(b"GNU\0", 3, b"id") + make_note(b"FDO\0", KIND, FEDORA.encode())
    content = make_elf(ElfSpec(sections={b".note": note}, with_table=False))

    assert package(content).name == "coreutils"
    (found,) = parse(LayerFile(path="a", content=content, size=MAX_BYTES + 1))
    assert isinstance(found, Package)


def test_bare_and_encoded_text_is_read() -> None:
    bare = make_elf(ElfSpec(sections={b".note.package": DEBIAN.encode()}))

    assert package(bare).name == "systemd"
    assert package(with_note("%7B%22name%22:%22a%22,%22version%22:%221%22%7D")).name == "a"


@pytest.mark.parametrize(
    "content",
    [
        with_note("{}"),
        with_note('{"name": "a", "version": ""}'),
        with_note(""),
        make_elf(ElfSpec(sections={b".note.package": make_note(b"GNU\0", KIND, b"x")})),
        make_elf(ElfSpec(sections={b".note.package": b"xx"})),
        make_elf(ElfSpec(sections={b".text": b".note.package\0"})),
        b"\x7fELF",
    ],
)
def test_files_that_name_no_package_are_silence(content: bytes) -> None:
    assert read(parse, layer_file("a", content)) == ([], "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("no JSON", "expected a packaging note"),
        ("[]", "expected a packaging note"),
        ('{"name": "a", "version": ["1"]}', "expected a packaging note"),
        ("[" * 60_000, "expected a packaging note"),
        ('{"name": "a b", "version": "1"}', "expected a name of a package"),
        ('{"name": "a", "version": "1 2"}', "expected a version of a"),
        ('{"name": "a", "version": "1", "os": "x y"}', "expected a name of a distribution"),
        ('{"name": "a", "version": "1", "license": "' + "x" * 70_000 + '"}', "expected a packaging note"),
    ],
)
def test_a_note_that_cannot_be_read_is_a_gap(text: str, problem: str) -> None:
    facts, told = read(parse, layer_file("a", with_note(text)))

    assert facts == []
    assert problem in told


@given(st.binary(max_size=200))
def test_notes_of_any_kind_give_packages_or_gaps(text: bytes) -> None:
    read(parse, layer_file("a", with_note(text)))


@given(st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)), max_size=8))
def test_changed_files_give_packages_or_gaps(changes: list[tuple[int, bytes]]) -> None:
    changed = bytearray(with_note(FEDORA))
    for place, change in changes:
        changed[place % len(changed) : place % len(changed) + len(change)] = change
    read(parse, layer_file("a", bytes(changed)))
