"""Perl distributions."""

import pytest
from hypothesis import given

from pratique.inventory.analyzers.perl import ANALYZER
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

LIB = "usr/local/lib/perl5/site_perl/5.38.0/x86_64-linux-gnu"
INSTALL = f"{LIB}/.meta/Foo-Bar-1.23/install.json"
MYMETA = f"{LIB}/.meta/Foo-Bar-1.23/MYMETA.json"
DIARY = "usr/local/lib/perl5/5.38.0/x86_64-linux-gnu/perllocal.pod"
PACKLIST = f"{LIB}/auto/Foo/Bar/.packlist"
FILES = {INSTALL: "install.json", MYMETA: "MYMETA.json", DIARY: "perllocal.pod"}


def _entry(module: str, version: str) -> str:
    return f"=head2 Mon Nov 23 09:26:39 2026: C<Module> L<{module}|{module}>\n\n=item *\n\nC<VERSION: {version}>\n\n=back\n\n"


@pytest.mark.parametrize("path", FILES)
def test_each_installers_record_names_the_same_distribution(path: str) -> None:
    (package,) = packages_of(ANALYZER, asset_file(path, f"perl/{FILES[path]}"))

    assert (package.purl, package.ecosystem) == ("pkg:cpan/Foo-Bar@1.23", "")


def test_the_metadata_tells_the_licence() -> None:
    assert packages_of(ANALYZER, asset_file(MYMETA, "perl/MYMETA.json"))[0].licenses == ("perl_5",)


def test_a_packlist_lists_the_files_of_its_distribution() -> None:
    (details,) = details_of(ANALYZER, asset_file(PACKLIST, "perl/packlist"))

    assert (details.type, details.name, details.version) == ("cpan", "Foo-Bar", "")
    assert details.files == (("usr/local/bin/foobar", ""), ("usr/local/share/perl/5.36.0/Foo/Bar.pm", ""))


def test_attributes_in_a_packlist_are_no_part_of_a_path() -> None:
    (details,) = details_of(ANALYZER, layer_file(PACKLIST, "/usr/bin/a b type=link from=/x\n/usr/./lib/c.pm type=file\n"))

    assert details.files == (("usr/bin/a b", ""), ("usr/lib/c.pm", ""))


def test_perls_own_packlist_is_that_of_the_interpreter() -> None:
    path = "usr/local/lib/perl5/5.38.0/x86_64-linux-gnu/.packlist"

    assert ANALYZER.paths.matches(path)
    assert details_of(ANALYZER, layer_file(path, "/usr/local/bin/perl\n"))[0].name == "perl"


def test_the_last_entry_of_a_diary_counts() -> None:
    content = _entry("Foo::Bar", "1.0") + _entry("LWP", "6.77") + _entry("Foo::Bar", "v1.2") + _entry("None", "")

    assert purls(ANALYZER, layer_file(DIARY, content)) == ["pkg:cpan/Foo-Bar@v1.2", "pkg:cpan/libwww-perl@6.77"]


@pytest.mark.parametrize(
    ("distribution", "purl"),
    [
        ("libwww-perl-6.77", "pkg:cpan/libwww-perl@6.77"),
        ("Foo-v1.2.3", "pkg:cpan/Foo@v1.2.3"),
        ("Foo-0.01-TRIAL", "pkg:cpan/Foo@0.01-TRIAL"),
        ("Foo-Bar-.9", "pkg:cpan/Foo-Bar@.9"),
        ("Foo-2-Bar-3_01", "pkg:cpan/Foo-2-Bar@3_01"),
    ],
)
def test_the_name_of_an_archive_is_split_into_distribution_and_version(distribution: str, purl: str) -> None:
    assert purls(ANALYZER, layer_file(INSTALL, f'{{"name": "X", "version": "9", "dist": "{distribution}"}}')) == [purl]


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        (INSTALL, "", "install.json"),
        (INSTALL, "{}", "install.json"),
        (INSTALL, '{"dist": "Foo"}', "no version of Foo"),
        (MYMETA, "[]", "metadata"),
        (MYMETA, '{"name": "Foo::Bar", "version": "1"}', "name of a distribution"),
        (MYMETA, '{"name": "Foo", "version": "undef"}', "version of Foo"),
        (PACKLIST, "\x7fELF", "expected the path of a file"),
        (DIARY, _entry("Foo", "1 2") + _entry("Bar", "1"), "1 broken entries"),
    ],
)
def test_what_no_installer_has_written_is_a_gap(path: str, content: str, problem: str) -> None:
    assert problem in refusal(ANALYZER, layer_file(path, content))[1]


def test_a_broken_line_of_a_packlist_does_not_hide_the_others() -> None:
    assert details_of(ANALYZER, layer_file(PACKLIST, "x\n/usr/bin/a\n"))[0].files == (("usr/bin/a", ""),)


@pytest.mark.parametrize("path", ["root/.cpan/build/Foo-1-0/META.json", "root/.cpanm/work/1700000000.7/Foo-1/META.json"])
def test_what_was_built_counts(path: str) -> None:
    assert purls(ANALYZER, layer_file(path, '{"name": "Foo", "version": 1.10, "license": "mit"}')) == ["pkg:cpan/Foo@1.10"]


@pytest.mark.parametrize(
    "path", ["src/META.json", "root/.cpan/build/Foo-1-0/t/META.json", "app/.packlist", "x/install.json", "x/MYMETA.json"]
)
def test_files_of_sources_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated(*((ASSETS / "perl" / name).read_bytes() for name in ("install.json", "MYMETA.json", "perllocal.pod", "packlist"))))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (*FILES, PACKLIST):
        answer_or_refuse(ANALYZER.parse, layer_file(path, content))
