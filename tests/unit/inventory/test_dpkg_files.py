"""dpkg's lists of files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.errors import InputError, LimitExceeded
from pratique.inventory.analyzer import select_analyzers
from pratique.inventory.analyzers import dpkg_md5sums
from pratique.inventory.analyzers.dpkg_files import ANALYZER, parse
from pratique.inventory.package import PackageDetails
from tests.support.layer_results import layer_file, read

LIST = "var/lib/dpkg/info/libc6:amd64.list"
MD5SUMS = "var/lib/dpkg/info/bash.md5sums"
DIGEST = "0123456789abcdef0123456789abcdef"


def files(path: str, content: str | bytes) -> tuple[list[tuple[str, str]], str]:
    facts, error = read(parse, layer_file(path, content))
    return [
        file for fact in facts if isinstance(fact, PackageDetails) for file in (*fact.files, *((path, "") for path in fact.paths))
    ], error


def test_a_list_names_directories_and_files_of_its_package() -> None:
    assert list(parse(layer_file(LIST, "/.\n/lib\n/lib/x y.so\n"))) == [
        PackageDetails(type="deb", name="libc6", architecture="amd64", paths=("lib", "lib/x y.so"))
    ]


def test_digests_are_md5() -> None:
    assert list(parse(layer_file(MD5SUMS, f"{DIGEST}  bin/bash\n{DIGEST}  usr/share/x y\n"))) == [
        PackageDetails(type="deb", name="bash", files=(("bin/bash", f"md5:{DIGEST}"), ("usr/share/x y", f"md5:{DIGEST}")))
    ]


@pytest.mark.parametrize("path", ["bin/a", "./bin/a", "/bin/a", "*bin/a"])
def test_paths_in_checksum_files_are_relative_to_the_root(path: str) -> None:
    assert files("var/lib/dpkg/status.d/libssl3.md5sums", f"{DIGEST}  {path}\n") == ([("bin/a", f"md5:{DIGEST}")], "")


@pytest.mark.parametrize("content", ["usr/bin/a\n", "/usr/bin/a\n", "//usr/bin/a\n", "/.\n/usr/bin/a\n"])
def test_slashes_before_listed_paths_do_not_matter(content: str) -> None:
    assert files(LIST, content) == ([("usr/bin/a", "")], "")


@pytest.mark.parametrize("path", [LIST, MD5SUMS])
@pytest.mark.parametrize("content", ["", "\n", "/.\n"])
def test_an_empty_record_owns_nothing(path: str, content: str) -> None:
    found, error = files(path, content)

    assert found == []
    assert bool(error) == (path == MD5SUMS and content == "/.\n")


def test_bytes_that_are_not_utf8_are_written_as_in_the_paths_of_layers() -> None:
    assert files(LIST, b"/usr/\xff\n") == ([("usr/\\xff", "")], "")


def test_a_list_that_was_cut_off_is_an_error() -> None:
    found, error = files(LIST, "/usr\n/usr/bi")

    assert found == [("usr", ""), ("usr/bi", "")]
    assert error == "expected a line's end behind 'usr/bi'"


@pytest.mark.parametrize("wrong", ["bin/a", f"{DIGEST[:-1]}  bin/a", f"x{DIGEST}  bin/a", f"{DIGEST}bin/a", f"{DIGEST}  "])
def test_a_line_without_a_digest_is_told_after_all_others_were_read(wrong: str) -> None:
    found, error = files(MD5SUMS, f"{DIGEST}  bin/a\n{wrong}\n{DIGEST}  bin/z\n")

    assert [path for path, _ in found] == ["bin/a", "bin/z"]
    assert f"got {wrong!r}" in error


def test_checksums_without_a_last_line_end_are_whole() -> None:
    assert files(MD5SUMS, f"{DIGEST}  bin/a") == ([("bin/a", f"md5:{DIGEST}")], "")


@pytest.mark.parametrize("name", ["x y.list", ".list", "UPPER.list", "a:b:c.md5sums", "-a.list"])
def test_a_name_that_no_package_has_is_silence(name: str) -> None:
    assert files(f"var/lib/dpkg/info/{name}", "junk") == ([], "")


@pytest.mark.parametrize("path", [LIST, MD5SUMS])
def test_more_files_than_any_system_has_are_refused(path: str) -> None:
    with pytest.raises(LimitExceeded, match="more than 600000 files"):
        list(parse(layer_file(path, "/a\n" * 600_001)))


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        (LIST, True),
        (MD5SUMS, False),
        ("var/lib/dpkg/status.d/libssl3.md5sums", True),
        ("var/lib/dpkg/status.d/libssl3.list", False),
        ("var/lib/dpkg/info/bash.postinst", False),
        ("var/lib/dpkg/diversions", False),
        ("backup/var/lib/dpkg/info/bash.list", False),
    ],
)
def test_only_the_live_database_is_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted
    assert dpkg_md5sums.ANALYZER.paths.matches(path) is (path == MD5SUMS)


def test_digests_are_read_only_where_contents_are_compared() -> None:
    assert [analyzer.needs_contents for analyzer in (ANALYZER, dpkg_md5sums.ANALYZER)] == [False, True]
    assert select_analyzers([ANALYZER, dpkg_md5sums.ANALYZER], compares_contents=False) == (ANALYZER,)
    assert select_analyzers([ANALYZER, dpkg_md5sums.ANALYZER], compares_contents=True) == (ANALYZER, dpkg_md5sums.ANALYZER)


@given(path=st.sampled_from([LIST, MD5SUMS]), content=st.binary(max_size=300) | st.text(alphabet="0123abcdef */.\n\u00e4", max_size=300))
def test_any_bytes_give_files_or_an_input_error(path: str, content: bytes | str) -> None:
    try:
        found = list(parse(layer_file(path, content)))
    except InputError:
        return
    assert all(name and not name.startswith("/") for fact in found for name in (*fact.paths, *(path for path, _ in fact.files)))
