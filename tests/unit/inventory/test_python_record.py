"""Which files belong to Python distributions."""

import time

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord, LimitExceeded
from pratique.inventory.analyzers._language import MAX_FILES_LENGTH
from pratique.inventory.analyzers.python_record import ANALYZER, MAX_FILES, parse
from pratique.inventory.package import PackageDetails
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

SITE = "usr/lib/python3.11/site-packages"
RECORD = f"{SITE}/Zope.Interface-6.1.dist-info/RECORD"
CONTENT = (
    "zope/interface/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\r\n"
    "../../../bin/zope-tool,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,5\r\n"
    '"zope/a,b.py",md5=1B2M2Y8AsgTpgAmY7PhCfg,3\r\n'
    "Zope.Interface-6.1.dist-info/RECORD,,\r\n"
)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _details(path: str, content: bytes | str) -> PackageDetails:
    (details,) = parse(layer_file(path, content))
    assert isinstance(details, PackageDetails)
    return details


def test_a_record_gives_files_with_hexadecimal_digests() -> None:
    details = _details(RECORD, CONTENT)

    assert (details.type, details.name, details.version) == ("pypi", "zope-interface", "6.1")
    assert details.files == (
        (f"{SITE}/zope/interface/__init__.py", f"sha256:{EMPTY}"),
        ("usr/bin/zope-tool", f"sha256:{EMPTY}"),
        (f"{SITE}/zope/a,b.py", "md5:d41d8cd98f00b204e9800998ecf8427e"),
        (f"{SITE}/Zope.Interface-6.1.dist-info/RECORD", ""),
    )
    assert details.directories == (f"{SITE}/Zope.Interface-6.1.dist-info",)


@pytest.mark.parametrize(
    ("recorded", "path"),
    [
        ("/etc/x.conf", "etc/x.conf"),
        ("./a//b.py", f"{SITE}/a/b.py"),
        ("..a/b...py", f"{SITE}/..a/b...py"),
    ],
)
def test_a_path_is_resolved_against_the_directory_of_the_installation(recorded: str, path: str) -> None:
    assert _details(RECORD, f"{recorded},,\n").files == ((path, ""),)


@pytest.mark.parametrize("recorded", ["../../../../../../../etc/passwd", "a\x1b[31m.py", "x" * 5000, "../../../.."])
def test_what_leads_out_of_the_root_or_is_no_path_is_left_out(recorded: str) -> None:
    assert [path for path, _ in _details(RECORD, f"{recorded},,\nq.py,,\n").files] == [f"{SITE}/q.py"]


@pytest.mark.parametrize("digest", ["sha256=x", "sha256=é", "crc32=AAAA", "sha256", "=", "sha256=47DEQpj8HBSa"])
def test_what_is_no_digest_says_nothing(digest: str) -> None:
    assert _details(RECORD, f"a.py,{digest},1\n").files == ((f"{SITE}/a.py", ""),)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a.py,,\nb.py,,,1\n", "got 4 fields"),
        ("a.py,,\n\0,,\n", "expected a RECORD"),
        ('a.py,,\n"b.py,,\n', "expected a RECORD"),
        ('a.py,,\n"b"x,,\n', "expected a RECORD"),
        ("a.py,,\n" + "x" * 200_000 + ",,\n", "expected a RECORD"),
    ],
)
def test_what_is_no_record_is_an_error_after_what_is_one(content: str, text: str) -> None:
    facts, error = read(parse, layer_file(RECORD, content))

    assert text in error
    assert isinstance(facts[0], PackageDetails)
    assert facts[0].files[0] == (f"{SITE}/a.py", "")


def test_a_record_of_too_many_files_is_an_error_in_bounded_time() -> None:
    started = time.process_time()
    with pytest.raises(LimitExceeded, match="more than"):
        list(parse(layer_file(RECORD, "a,,\n" * (MAX_FILES + 10))))
    with pytest.raises(LimitExceeded, match="more than"):
        list(parse(layer_file(f"{SITE}/a-1.egg-info/installed-files.txt", "a\n" * (MAX_FILES + 10))))

    assert time.process_time() - started < 10


@pytest.mark.parametrize("name", ["a-1.dist-info/RECORD", "a-1.egg-info/installed-files.txt"])
def test_short_names_in_a_deep_directory_become_no_flood_of_text(name: str) -> None:
    content = "".join(f"{number}\n" for number in range(MAX_FILES))
    facts, error = read(parse, layer_file("/".join(["d" * 250] * 15) + "/" + name, content))

    (details,) = facts
    assert isinstance(details, PackageDetails)
    assert "characters of their paths" in error
    assert MAX_FILES_LENGTH * 0.9 < sum(len(path) for path, _ in details.files) <= MAX_FILES_LENGTH


def test_installed_files_are_relative_to_the_egg_info() -> None:
    details = _details(f"{SITE}/PyYAML-5.3.1-py3.9.egg-info/installed-files.txt", "../yaml/__init__.py\nPKG-INFO\n../../../../bin/y\n")

    assert (details.name, details.version) == ("pyyaml", "5.3.1")
    assert [path for path, _ in details.files] == [
        f"{SITE}/yaml/__init__.py",
        f"{SITE}/PyYAML-5.3.1-py3.9.egg-info/PKG-INFO",
        "usr/bin/y",
    ]


def test_top_level_packages_belong_to_an_egg() -> None:
    details = _details(f"{SITE}/a-1.egg-info/top_level.txt", "a\n_a\nb/c\n../d\n\n")

    assert details.directories == (f"{SITE}/a", f"{SITE}/_a", f"{SITE}/b/c", f"{SITE}/a-1.egg-info")
    assert [path for path, _ in details.files] == [f"{SITE}/a.py", f"{SITE}/_a.py", f"{SITE}/b/c.py"]


def test_all_of_an_unpacked_egg_belongs_to_it() -> None:
    details = _details(f"{SITE}/a_b-1.0-py3.6.egg/EGG-INFO/top_level.txt", "a\n")

    assert (details.name, details.version, details.directories) == ("a-b", "1.0", (f"{SITE}/a_b-1.0-py3.6.egg",))


def test_top_level_packages_of_a_wheel_say_less_than_its_record() -> None:
    assert list(parse(layer_file(f"{SITE}/google_x-1.dist-info/top_level.txt", "google\n"))) == []


def test_a_directory_without_a_version_fits_any() -> None:
    assert _details("app/x.egg-info/top_level.txt", "x\n").version == ""


@pytest.mark.parametrize(
    ("path", "is_wanted"),
    [
        (RECORD, True),
        ("a-1.dist-info/RECORD", True),
        (f"{SITE}/a-1.egg/EGG-INFO/top_level.txt", True),
        (f"{SITE}/a-1.egg-info/installed-files.txt", True),
        ("usr/share/doc/RECORD", False),
        ("RECORD", False),
    ],
)
def test_only_records_of_installations_are_wanted(path: str, is_wanted: bool) -> None:
    assert ANALYZER.paths.matches(path) is is_wanted


@given(mutated(CONTENT.encode(), b"../a/b.py\n../../x\n"))
def test_any_bytes_are_answered_or_refused(content: bytes) -> None:
    for name in ("RECORD", "installed-files.txt", "top_level.txt"):
        for directory in ("a-1.dist-info", "a-1.egg-info", "x/a-1.egg/EGG-INFO"):
            answer_or_refuse(parse, layer_file(f"{directory}/{name}", content))


def test_garbage_that_is_a_record_by_name_is_an_error() -> None:
    with pytest.raises(InvalidRecord, match="expected"):
        list(parse(layer_file(RECORD, b"\0\0\0")))
