"""Arch Linux's local database. The files are those that pacman wrote for a made-up package."""

import gzip
import lzma

import pytest
from hypothesis import given

from pratique.errors import InputError, InvalidRecord
from pratique.inventory.analyzers.pacman import ANALYZER, MAX_LINE_BYTES, MAX_SECTIONS, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, asset_file, layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

DIRECTORY = "var/lib/pacman/local/demo-tool-1:2.0.1-3"
DESC, FILES, MTREE = (f"{DIRECTORY}/{name}" for name in ("desc", "files", "mtree"))


def details(path: str, content: bytes) -> tuple[dict[str, str], str]:
    facts, error = read(parse, layer_file(path, content))
    return dict(pair for fact in facts if isinstance(fact, PackageDetails) for pair in fact.files), error


def test_a_real_desc_gives_the_package_with_its_base_as_source() -> None:
    (package,) = parse(asset_file(DESC, "pacman/desc"))

    assert isinstance(package, Package)
    assert package.purl == "pkg:alpm/demo-tool@1:2.0.1-3?arch=x86_64"
    assert (package.source_name, package.vendor) == ("demo", "Demo Packager <demo@example.org>")
    assert package.licenses == ("GPL-2.0-or-later", "MIT")


def test_a_real_list_of_files_belongs_to_the_package_of_its_directory() -> None:
    (found,) = parse(asset_file(FILES, "pacman/files"))

    assert isinstance(found, PackageDetails)
    assert (found.type, found.name, found.version) == ("alpm", "demo-tool", "1:2.0.1-3")
    assert [path for path, _ in found.files] == ["etc/demo.conf", "usr/bin/demo", "usr/bin/demo-link", "usr/share/demo files/ümlaut.txt"]
    assert dict(found.files)["etc/demo.conf"] == "md5:f968f33f844c98de1d3b4fe70f2e1a0f"


def test_a_real_mtree_gives_digests_and_unescaped_paths() -> None:
    files, error = details(MTREE, (ASSETS / "pacman/mtree").read_bytes())

    assert not error
    assert files["usr/bin/demo"] == "sha256:98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"
    assert files["usr/bin/demo-link"] == ""
    assert files["usr/share/demo files/ümlaut.txt"].startswith("sha256:599c7c0c")
    assert "etc" not in files
    assert ".PKGINFO" not in files


def test_a_database_below_another_root_owns_the_files_there() -> None:
    path = f"opt/msys64/{FILES}"

    assert ANALYZER.paths.matches(path)
    assert details(path, b"%FILES%\nusr/\nusr/bin/a\n")[0] == {"opt/msys64/usr/bin/a": ""}


def test_paths_out_of_the_root_are_not_owned() -> None:
    assert details(FILES, b"%FILES%\n../etc/passwd\nusr/../../x\n/usr/a\n")[0] == {"usr/a": ""}


def test_set_lines_of_an_mtree_change_the_kind_of_what_follows() -> None:
    text = b"#mtree\n/set type=dir\n./usr\n./usr/bin\n/set type=file mode=644\n./usr/a md5digest=" + b"A" * 32 + b"\n/unset mode\n"

    assert details(MTREE, gzip.compress(text, mtime=0)) == ({"usr/a": "md5:" + "a" * 32}, "")


BROKEN = [
    (DESC, b"", "no %NAME%"),
    (DESC, b"%NAME%\n\n%VERSION%\n1-1\n", "no %NAME%"),
    (DESC, b"%NAME%\na\n", "no %VERSION% of a"),
    (DESC, b"%NAME%\na b\n\n%VERSION%\n1\n", "printable ASCII without|printable ASCII"),
    (DESC, b"%A%\n" * (MAX_SECTIONS + 1), "sections"),
    ("var/lib/pacman/local/-1-1/files", b"%FILES%\na\n", "NAME-VERSION-RELEASE"),
    ("var/lib/pacman/local/a-1/files", b"%FILES%\na\n", "NAME-VERSION-RELEASE"),
    (MTREE, gzip.compress(b"#mtree\n./a type=file\nwhat is this\n", mtime=0), "mtree entry"),
    (MTREE, gzip.compress(b"#mtree\n./a type=file\n", mtime=0)[:-12], "compressed data"),
    (MTREE, gzip.compress(b"x" * (3 * MAX_LINE_BYTES), mtime=0), "line of more than"),
    (MTREE, gzip.compress(bytes(80 * 1024**2), mtime=0), "more than"),
    (MTREE, lzma.compress(b"#mtree\n./a type=file\n")[:-12], "compressed data"),
]


@pytest.mark.parametrize(("path", "content", "reason"), BROKEN)
def test_what_pacman_could_not_read_is_a_gap(path: str, content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(parse(layer_file(path, content)))


def test_files_before_the_damage_count() -> None:
    files, error = details(MTREE, gzip.compress(b"#mtree\n./a type=file\nwhat is this\n", mtime=0))

    assert files == {"a": ""}
    assert "mtree entry" in error


def test_a_package_with_too_many_files_is_a_gap_with_the_first_ones() -> None:
    files, error = details(FILES, b"%FILES%\n" + b"".join(b"a/%d\n" % number for number in range(300_001)))

    assert len(files) == 300_000
    assert "more than 300000 files" in error


def test_only_the_local_database_is_wanted() -> None:
    assert all(map(ANALYZER.paths.matches, (DESC, FILES, MTREE)))
    assert not any(
        map(ANALYZER.paths.matches, ("var/lib/pacman/sync/desc", "usr/share/files", f"{DIRECTORY}/x/desc", f"{DIRECTORY}/install"))
    )


@given(mutated(*(ASSETS.joinpath("pacman", name).read_bytes() for name in ("desc", "files", "mtree"))))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (DESC, FILES, MTREE):
        answer_or_refuse(parse, layer_file(path, content))


def test_a_desc_that_is_no_record_is_an_invalid_record() -> None:
    with pytest.raises(InvalidRecord):
        list(parse(layer_file(DESC, bytes(range(256)))))
