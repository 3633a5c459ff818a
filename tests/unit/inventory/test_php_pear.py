"""PHP packages that PEAR and PECL installed."""

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord
from pratique.inventory.analyzers._php_serialize import MAX_DEPTH, MAX_VALUES, parse_php
from pratique.inventory.analyzers.php_pear import ANALYZER
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

REGISTRY = "usr/local/lib/php/.registry"
PATH = f"{REGISTRY}/pear_manpages.reg"
REAL = asset_file(PATH, "php_pear/pear_manpages.reg")


def _serialize(value: object) -> str:
    match value:
        case dict():
            return f"a:{len(value)}:{{{''.join(_serialize(key) + _serialize(item) for key, item in value.items())}}}"
        case int():
            return f"i:{value};"
        case _:
            return f's:{len(str(value).encode())}:"{value}";'


def test_a_real_record_gives_package_channel_and_licence() -> None:
    (package,) = packages_of(ANALYZER, REAL)

    assert (package.purl, package.licenses) == ("pkg:pear/pear.php.net/PEAR_Manpages@1.10.0", ("New BSD License",))
    assert package.ecosystem == ""


def test_a_real_record_names_every_installed_file_with_its_digest() -> None:
    (details,) = details_of(ANALYZER, REAL)

    assert details.files[0] == (PATH, "")
    assert ("usr/share/man/man1/pear.1", "md5:1365cbb481b6c922f5a236ef1e0861e4") in details.files


def test_an_extension_of_pecl_is_told_apart_by_its_channel() -> None:
    record = {"name": "redis", "channel": "pecl.php.net", "version": {"release": "6.0.2", "api": "6.0.0"}, "license": "PHP"}

    assert purls(ANALYZER, layer_file(f"{REGISTRY}/.channel.pecl.php.net/redis.reg", _serialize(record))) == [
        "pkg:pear/pecl.php.net/redis@6.0.2"
    ]


@pytest.mark.parametrize(
    ("directory", "channel"), [("", "pear.php.net"), ("/.channel.pecl.php.net", "pecl.php.net"), ("/.channel.__uri", "__uri")]
)
def test_a_record_of_the_first_format_has_the_channel_of_its_directory(directory: str, channel: str) -> None:
    record = {"package": "APC", "version": "3.1.9", "release_license": "PHP License", "filelist": {}}

    assert purls(ANALYZER, layer_file(f"{REGISTRY}{directory}/apc.reg", _serialize(record))) == [f"pkg:pear/{channel}/APC@3.1.9"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "serialize format at byte 0"),
        ("\x7fELF", "serialize format"),
        ('s:1:"a";', "expected a serialized array, got bytes"),
        ("a:0:{}", "no channel|no name"),
        (_serialize({"name": "A"}), "no release"),
        (_serialize({"name": "A B", "version": "1"}), "name of a package"),
        (_serialize({"name": "A", "version": "1"})[:-4], "serialize format"),
        ("a:999999999:{i:0;i:0;}", "serialize format at byte 21"),
        ('s:999999999:"a";', "serialize format"),
        ('a:1:{i:0;O:3:"Foo":0:{}}', "serialize format at byte 9"),
        ("a:2:{i:0;i:1;i:1;R:1;}", "serialize format at byte 17"),
        ("a:1:{a:0:{}i:0;}", "serialize format"),
        ("d:1x2;", "serialize format"),
        ("a:1:{i:0;" * (MAX_DEPTH + 2), f"deeper than {MAX_DEPTH}"),
        (f"a:{MAX_VALUES}:{{{'N;' * 1}", "serialize format"),
        (f"a:{MAX_VALUES}:{{{'i:0;N;' * MAX_VALUES}}}", f"more than {MAX_VALUES}"),
    ],
)
def test_what_pear_could_not_read_is_a_gap(content: str, problem: str) -> None:
    count, error = refusal(ANALYZER, layer_file(PATH, content))

    assert count == 0
    assert any(part in error for part in problem.split("|"))


def test_every_kind_of_value_is_read() -> None:
    assert parse_php(b'a:5:{i:0;i:-5;i:1;d:0.5;i:2;b:1;i:3;N;s:1:"k";s:3:"a"b";}') == {0: -5, 1: 0.5, 2: True, 3: None, b"k": b'a"b'}


def test_lengths_count_bytes() -> None:
    assert parse_php('s:2:"é";'.encode()) == "é".encode()
    with pytest.raises(InvalidRecord):
        parse_php('s:1:"é";'.encode())


@pytest.mark.parametrize("path", ["usr/share/php/.channels/pear.php.net.reg", "windows/x.reg", "usr/share/php/.registry/a.txt"])
def test_other_files_of_that_ending_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated((ASSETS / "php_pear" / "pear_manpages.reg").read_bytes(), _serialize({"name": "A", "version": "1"}).encode()))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(ANALYZER.parse, layer_file(PATH, content))
