"""Records of language packages as Debian's packages and the languages' own installers wrote them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pratique.inventory.analyzer import Analyzer
from pratique.inventory.analyzers.erlang import ANALYZER as ERLANG
from pratique.inventory.analyzers.haskell import ANALYZER as HASKELL
from pratique.inventory.analyzers.perl import ANALYZER as PERL
from pratique.inventory.analyzers.php_pear import ANALYZER as PEAR
from pratique.inventory.analyzers.r import ANALYZER as R
from pratique.inventory.analyzers.ruby import ANALYZER as RUBY
from pratique.inventory.package import Package, PackageDetails
from tests.support.debian_packages import read_tree, unpack

_SECONDS = 60


def _packages(root: Path, analyzer: Analyzer) -> dict[str, Package]:
    """The packages by name; fails if the analyzer could not read something."""
    facts, problems = read_tree(root, analyzer)
    assert problems == {}
    return {fact.name: fact for found in facts.values() for fact in found if isinstance(fact, Package)}


def test_all_gems_of_a_ruby_installation_are_found() -> None:
    found = _packages(unpack("libruby3.1"), RUBY)

    assert len(found) > 70
    assert found.keys() >= {"bundler", "debug", "json", "openssl"}
    assert {package.ecosystem for package in found.values()} == {"RubyGems"}


def test_gems_that_debian_packages_are_found_at_their_upstream_version() -> None:
    found = _packages(unpack("ruby-rack", "ruby-msgpack"), RUBY)

    assert sorted(found) == ["msgpack", "rack"]
    assert found["rack"].version.startswith("2.2.")


def test_pears_registry_names_files_that_are_there() -> None:
    root = unpack("php-pear")
    facts, problems = read_tree(root, PEAR)
    packages = {fact.name for found in facts.values() for fact in found if isinstance(fact, Package)}
    owned = [path for found in facts.values() for fact in found if isinstance(fact, PackageDetails) for path, _ in fact.files]

    assert problems == {}
    assert packages == {"Archive_Tar", "Console_Getopt", "PEAR", "PEAR_Manpages", "Structures_Graph", "XML_Util"}
    assert "usr/share/php/Archive/Tar.php" in owned
    assert sum((root / path).exists() for path in owned) > len(owned) / 3  # Debian moves the documentation and leaves out the tests


def test_r_packages_are_found_in_their_library() -> None:
    assert {name: package.purl.partition("@")[0] for name, package in _packages(unpack("r-cran-digest", "r-cran-r6"), R).items()} == {
        "digest": "pkg:cran/digest",
        "R6": "pkg:cran/R6",
    }


def test_otp_applications_are_told_from_those_of_others() -> None:
    found = _packages(unpack("erlang-asn1", "erlang-p1-utils", "erlang-jiffy"), ERLANG)

    assert {name: package.type for name, package in found.items()} == {"asn1": "otp", "p1_utils": "hex", "jiffy": "hex"}


def test_libraries_in_ghcs_database_are_found() -> None:
    found = _packages(unpack("libghc-random-dev", "libghc-void-dev"), HASKELL)

    assert sorted(found) == ["random", "void"]
    assert {package.ecosystem for package in found.values()} == {"Hackage"}


@pytest.fixture(scope="module")
def perl_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module as `perl Makefile.PL && make install` installs it below a directory."""
    source, root = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("root")
    (source / "lib").mkdir()
    (source / "lib" / "Bar.pm").write_text('package Acme::Bar;\nour $VERSION = "1.230";\n1;\n')
    (source / "Makefile.PL").write_text(
        "use ExtUtils::MakeMaker;\n"
        "WriteMakefile(NAME => 'Acme::Bar', VERSION_FROM => 'lib/Bar.pm', LICENSE => 'perl', PM => {'lib/Bar.pm' => '$(INST_LIB)/Acme/Bar.pm'});\n"
    )
    for command in (["perl", "Makefile.PL", f"INSTALL_BASE={root}/opt/perl5"], ["make", "-s", "install"]):
        subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=_SECONDS)
    return root


def test_a_module_that_makemaker_installed_is_found_with_its_files(perl_root: Path) -> None:
    facts, problems = read_tree(perl_root, PERL)
    found = [fact for told in facts.values() for fact in told]

    assert problems == {}
    assert [package.purl for package in found if isinstance(package, Package)] == ["pkg:cpan/Acme-Bar@1.230"]
    (details,) = [fact for fact in found if isinstance(fact, PackageDetails)]
    assert details.name == "Acme-Bar"
    assert [path.removeprefix(str(perl_root)[1:]) for path, _ in details.files] == ["/opt/perl5/lib/perl5/Acme/Bar.pm"]
