"""Go programs."""

import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers.go_binary import ANALYZER, MAX_BYTES, parse
from pratique.inventory.package import Package
from tests.support.executables import ALL_ELF, Data, ElfSpec, make_elf, make_macho, make_note, make_pe, make_universal
from tests.support.go_programs import MAGIC, MODULES, framed, inline_record, pointer_record
from tests.support.layer_results import layer_file, read

WRITABLE = 0xC0000040
PURLS = [
    "pkg:golang/example.org/app@v1.2.3",
    "pkg:golang/github.com/BurntSushi/toml@v1.3.2",
    "pkg:golang/github.com/docker/docker@v25.0.0%2Bincompatible",
    "pkg:golang/github.com/new/fork/v2@v2.1.0",
    "pkg:golang/golang.org/x/crypto@v0.0.0-20210921155107-089bfa567519",
]


def program(record: bytes, **others: bytes) -> bytes:
    return make_elf(
        ElfSpec(sections={b".text": b"\xcc" * 20, b".go.buildinfo": record, **{name.encode(): data for name, data in others.items()}})
    )


def purls(content: bytes) -> tuple[list[str], str]:
    facts, problem = read(parse, layer_file("usr/bin/app", content))
    return [fact.purl for fact in facts if isinstance(fact, Package)], problem


def main_version(lines: str, symbols: Mapping[bytes, tuple[bytes, int]] | None = None) -> str:
    sections = {b".go.buildinfo": inline_record(lines=lines), b".rodata": b"v9.8.7"}
    (main, *_) = parse(layer_file("app", make_elf(ElfSpec(sections=sections, symbols=symbols))))
    assert isinstance(main, Package)
    return main.version


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_modules_of_new_programs_are_read_in_every_class_and_byte_order(bits: int, order: str) -> None:
    content = make_elf(ElfSpec(sections={b".go.buildinfo": inline_record()}, bits=bits, order=order))

    assert purls(content) == ([*PURLS, "pkg:golang/stdlib@1.22.1"], "")


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
def test_modules_of_old_programs_are_read_in_every_class_and_byte_order(bits: int, order: str) -> None:
    content = make_elf(ElfSpec(sections={b".go.buildinfo": pointer_record(bits=bits, order=order)}, bits=bits, order=order))

    assert purls(content) == ([*PURLS, "pkg:golang/stdlib@1.17.1"], "")


@pytest.mark.parametrize("record", [inline_record("go1.17.1"), pointer_record()])
@pytest.mark.parametrize("bits", [32, 64])
def test_windows_programs_are_read(record: Data, bits: int) -> None:
    data: Data = pointer_record(bits=bits) if callable(record) else record
    content = make_pe({b".text": (0x60000020, b"x" * 99), b".data": (WRITABLE, data)}, bits=bits)

    assert purls(content) == ([*PURLS, "pkg:golang/stdlib@1.17.1"], "")


@pytest.mark.parametrize(("bits", "order"), ALL_ELF)
@pytest.mark.parametrize("with_sections", [True, False])
def test_programs_of_macos_are_read(bits: int, order: str, with_sections: bool) -> None:
    sections = {b"__go_buildinfo": pointer_record(bits=bits, order=order)}
    content = make_macho(sections, bits=bits, order=order, with_sections=with_sections)

    assert purls(content) == ([*PURLS, "pkg:golang/stdlib@1.17.1"], "")


def test_a_universal_program_is_read_for_each_architecture() -> None:
    parts = make_macho({b"__go_buildinfo": inline_record("go1.20")}), make_macho({b"__go_buildinfo": inline_record("go1.21.0")}, order=">")
    found, problem = purls(make_universal(*parts))

    assert (len(found), problem) == (12, "")
    assert {"pkg:golang/stdlib@1.20", "pkg:golang/stdlib@1.21.0"} < set(found)


def test_a_program_without_a_table_of_sections_is_found_by_its_data() -> None:
    content = make_elf(ElfSpec(sections={b".data": b"x" * 40, b".go.buildinfo": inline_record()}, with_table=False))

    assert len(purls(content)[0]) == 6


def test_the_name_that_advisories_use_is_the_whole_module_path() -> None:
    (_, toml, *_) = parse(layer_file("app", program(inline_record())))

    assert isinstance(toml, Package)
    assert (toml.matching_name, toml.ecosystem) == ("github.com/BurntSushi/toml", "Go")


@pytest.mark.parametrize(
    ("go", "version"),
    [
        ("go1.22.1", "1.22.1"),
        ("go1.20", "1.20"),
        ("go1.19.8 X:boringcrypto", "1.19.8"),
        ("go1.26.1-X:jsonv2", "1.26.1"),
        ("go1.21.3-bigcorp", "1.21.3"),
        ("go1.26.5 (Red Hat 1.26.5-1.el10_2.alma.1)", "1.26.5"),
        ("go1.23rc1", "1.23.0-rc.1"),
        ("go1.18beta2", "1.18.0-beta.2"),
        ("devel go1.24-8e9f1a2 Thu Sep 5 10:00:00 2024 +0000", "1.24"),
    ],
)
def test_the_standard_library_has_the_version_of_the_toolchain(go: str, version: str) -> None:
    (library,) = parse(layer_file("app", program(inline_record(go, ""))))

    assert isinstance(library, Package)
    assert (library.matching_name, library.version, library.purl) == ("stdlib", version, f"pkg:golang/stdlib@{version}")


@pytest.mark.parametrize("go", ["unknown", "devel +b7a85e0003 Wed", "1.22", "go", "go1.2." + "1" * 400 + "x"])
def test_a_toolchain_without_a_version_is_a_gap_behind_the_modules(go: str) -> None:
    found, problem = purls(program(inline_record(go)))

    assert found == PURLS
    assert "expected a version of Go" in problem


DEVEL = "path\texample.org/app/cmd/app\nmod\texample.org/app\t(devel)\t\n"
COMMIT = "build\tvcs.revision=0123456789abcdef0123456789abcdef01234567\nbuild\tvcs.time=2024-05-06T07:08:09Z\n"


@pytest.mark.parametrize(
    ("flags", "version"),
    [
        ("-X main.version=1.2.3", "v1.2.3"),
        ("-s -w -X 'main.version=v1.2.3' -X main.commit=abc", "v1.2.3"),
        ("-X=main.Version=v1.2.3-rc.1+meta", "v1.2.3-rc.1+meta"),
        ("-X example.org/app/internal/build.gitVersion=v1.2.3", "v1.2.3"),
        ("-X k8s.io/component-base/version.gitVersion=v1.27.1 -X k8s.io/component-base/version.gitMajor=1", "v1.27.1"),
        ("-X github.com/prometheus/common/version.Version=2.37.0", "v2.37.0"),
        ("-X main.version=2.0.0 -X github.com/other/lib/version.Version=1.0.0", "v2.0.0"),
        ("-X main.ReleaseTag=release/v1.2.3", "v1.2.3"),
        ("-X main.goVersion=1.22.1 -X main.apiVersion=1.0.0", ""),
        ("-X a.org/version.Version=1.0.0 -X b.org/version.Version=2.0.0", ""),
        ("-X main.version=dev", ""),
        ("-X main.version=" + "1" * 100_000, ""),
        ("a." * 50_000, ""),
    ],
)
def test_the_version_of_a_working_copy_is_what_the_linker_was_told(flags: str, version: str) -> None:
    assert main_version(f'{DEVEL}build\t-ldflags="{flags}"\n') == version


def test_a_working_copy_has_the_pseudo_version_of_its_revision() -> None:
    assert main_version(DEVEL + COMMIT) == "v0.0.0-20240506070809-0123456789ab"


@pytest.mark.parametrize(("path", "major"), [("example.org/app/v3", "v3"), ("gopkg.in/yaml.v2", "v2"), ("example.org/vendor/x", "v0")])
def test_a_pseudo_version_has_the_major_number_of_the_module(path: str, major: str) -> None:
    assert main_version(f"mod\t{path}\t(devel)\n{COMMIT}") == f"{major}.0.0-20240506070809-0123456789ab"


def test_a_released_version_outranks_the_flags_and_those_outrank_a_pseudo_version() -> None:
    flags = 'build\t-ldflags="-X main.version=1.0.0"\n'

    assert main_version(f"mod\texample.org/app\tv2.0.0\n{flags}") == "v2.0.0"
    assert main_version(f"mod\texample.org/app\tv2.0.1-0.20240506070809-0123456789ab\n{flags}") == "v1.0.0"


def test_the_version_is_read_from_the_symbol_where_the_flags_are_not_recorded() -> None:
    assert main_version(DEVEL, {b"runtime.x": (b".rodata", 3), b"main.version.str": (b".rodata", 6)}) == "v9.8.7"
    assert main_version(DEVEL, {b"main.version.str": (b".rodata", 60_000)}) == ""


def test_a_module_replaced_by_a_folder_keeps_its_name_without_a_version() -> None:
    found, problem = purls(program(inline_record(lines="dep\texample.org/lib\tv1.0.0\n=>\t./lib\t(devel)\t\n")))

    assert (found, problem) == (["pkg:golang/example.org/lib", "pkg:golang/stdlib@1.22.1"], "")


def test_programs_built_without_modules_tell_the_toolchain_only() -> None:
    """As Debian's; Go's own commands and single files name no module either."""
    assert purls(program(inline_record(lines="path\tcmd/gofmt\n"))) == (["pkg:golang/stdlib@1.22.1"], "")
    assert purls(program(inline_record(lines="path\tcommand-line-arguments\n"))) == (["pkg:golang/stdlib@1.22.1"], "")
    assert purls(program(inline_record(lines=""))) == (["pkg:golang/stdlib@1.22.1"], "")


def test_a_program_of_single_files_is_the_module_that_is_a_working_copy() -> None:
    lines = "path\tcommand-line-arguments\nmod\tcommand-line-arguments\t(devel)\t\ndep\texample.org/app\t(devel)\t\ndep\texample.org/b\tv1.0.0\n"

    assert purls(program(inline_record(lines=lines)))[0] == [
        "pkg:golang/example.org/app",
        "pkg:golang/example.org/b@v1.0.0",
        "pkg:golang/stdlib@1.22.1",
    ]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (b"x" * 64, "without its build information"),
        (b"x" * 8 + inline_record(), "without its build information"),  # not where the linker puts it
        (MAGIC + bytes([8, 2]) + bytes(20), "without a version of Go"),
        (MAGIC + bytes([8, 2]) + bytes(16) + b"\xff" * 32, "a string without a length"),
        (MAGIC + bytes([8, 2]) + bytes(16) + b"\xff\xff\xff\xff\x0f" + bytes(32), "a string of 4294967295 bytes"),
        (MAGIC + bytes([8, 0]) + b"\xff" * 16, "a pointer to nowhere"),
        (MAGIC + bytes([5, 0]) + b"\xff" * 16, "pointers of 5 bytes"),
        (inline_record()[:60], "a string of"),
        (inline_record().replace(framed(MODULES)[-17:], b"x" * 17), "expected Go's list of modules"),
    ],
)
def test_a_go_program_that_does_not_tell_its_modules_is_a_gap(record: bytes, problem: str) -> None:
    found, told = purls(program(record))

    assert found == []
    assert problem in told


def test_broken_lines_are_a_gap_behind_the_others() -> None:
    lines = "=>\ta\tv1\th\n" + MODULES + "dep\tonly-a-path\ndep\tb c\tv1.0.0\ndep\texample.org/\tv1.0.0\ndep\texample.org/d\tv1 2\n"
    found, problem = purls(program(inline_record(lines=lines)))

    assert found == [*PURLS, "pkg:golang/stdlib@1.22.1"]
    assert problem == "5 broken entries, the first: a replacement of no module"


def test_a_packed_program_is_a_gap() -> None:
    packed = make_elf(ElfSpec(sections={b".upx": b"\x12\x34\x56\x78UPX!\x84\x08\x0d\x16"}, with_table=False))

    with pytest.raises(InvalidRecord, match="packed by UPX: what is inside cannot be seen"):
        list(parse(layer_file("app", packed)))
    with pytest.raises(InvalidRecord, match="packed by UPX"):
        list(parse(layer_file("app.exe", make_pe({b"UPX0": (0xE0000080, b""), b"UPX1": (0xE0000040, b"x" * 50)}))))


def test_a_large_go_program_is_a_gap_and_other_large_files_are_not() -> None:
    size = MAX_BYTES + 1
    heads = [make_elf(ElfSpec(sections={b".note.x": make_note(owner, 4, b"id"), b"big": bytes(9)})) for owner in (b"Go\0\0", b"GNU\0")]

    with pytest.raises(InvalidRecord, match=f"a Go program of {size} bytes: more than {MAX_BYTES} are not read"):
        list(parse(LayerFile(path="a", content=heads[0], size=size)))
    assert list(parse(LayerFile(path="a", content=heads[1], size=size))) == []
    assert list(parse(LayerFile(path="a", content=b"MZ" + bytes(99), size=size))) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x7fELF",
        b"MZ",
        b"MZ is how this text begins" * 9,
        b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(99),  # a Java class
        b"\xca\xfe\xba\xbe\0\0\0\x02" + b"\xff" * 99,
        b"\xcf\xfa\xed\xfe" + b"\xff" * 99,
        make_elf(ElfSpec(sections={b".data": inline_record()})),  # with sections, Go names its own
        make_elf(ElfSpec(sections={b".data": b"x" * 200}, with_table=False)),
        make_pe({b".data": (WRITABLE, b"x" * 200)}),
        make_macho({b"__data": b"x" * 200}),
    ],
)
def test_other_files_are_silence(content: bytes) -> None:
    assert purls(content) == ([], "")


def test_every_cut_of_a_program_is_silence_or_a_gap() -> None:
    whole = program(inline_record(), symbols=b"x" * 50)
    for size in range(len(whole)):
        found, _ = purls(whole[:size])
        assert set(found) <= {*PURLS, "pkg:golang/stdlib@1.22.1"}


def test_many_broken_lines_take_little_time() -> None:
    content = program(inline_record(lines="mod\t\n" * 700_000))

    started = time.process_time()
    assert "broken entries" in purls(content)[1]
    assert time.process_time() - started < 8


def test_a_million_symbols_of_one_name_take_little_time() -> None:
    symbols = {b"main.version.str": (b".go.buildinfo", 3)}
    content = bytearray(
        make_elf(ElfSpec(sections={b".go.buildinfo": inline_record(lines=DEVEL), b".all": b"\1" + bytes(23)}, symbols=symbols))
    )
    table, size = int.from_bytes(content[0x28:0x30], "little"), 24 * 1_000_000
    content[table + 4 * 64 + 24 : table + 4 * 64 + 40] = len(content).to_bytes(8, "little") + size.to_bytes(8, "little")
    content += (b"\1" + bytes(23)) * 1_000_000

    started = time.process_time()
    assert purls(bytes(content)) == (["pkg:golang/example.org/app", "pkg:golang/stdlib@1.22.1"], "")
    assert time.process_time() - started < 2


def test_a_file_of_another_kind_is_refused_within_microseconds() -> None:
    file = layer_file("lib.so", make_elf(ElfSpec(sections={b".text": b"\xff Go" * 100_000, b".data": bytes(1_000_000)})))

    started = time.process_time()
    for _ in range(1000):
        assert list(parse(file)) == []
    assert time.process_time() - started < 0.1


SAMPLES = (
    program(inline_record()),
    make_elf(ElfSpec(sections={b".go.buildinfo": pointer_record(bits=32, order=">")}, bits=32, order=">")),
    make_pe({b".data": (WRITABLE, pointer_record())}),
    make_universal(make_macho({b"__go_buildinfo": inline_record()})),
)


@given(st.sampled_from(SAMPLES), st.lists(st.tuples(st.integers(0, 2000), st.binary(min_size=1, max_size=8)), max_size=8))
def test_changed_programs_give_packages_or_gaps(content: bytes, changes: list[tuple[int, bytes]]) -> None:
    changed = bytearray(content)
    for place, change in changes:
        changed[place % len(changed) : place % len(changed) + len(change)] = change
    purls(bytes(changed))


@given(st.sampled_from(ANALYZER.paths.magics), st.binary(max_size=400))
def test_bytes_of_any_kind_give_packages_or_gaps(magic: bytes, content: bytes) -> None:
    purls(magic + content)


@given(st.binary(max_size=200))
def test_records_of_any_kind_give_packages_or_gaps(content: bytes) -> None:
    purls(program(MAGIC + content))
