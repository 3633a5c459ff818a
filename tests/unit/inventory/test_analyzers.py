"""The registration of analyzers, and what all of them promise."""

import importlib
import pkgutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pratique.inventory import analyzers
from pratique.inventory.analyzer import Analyzer, LayerFile
from pratique.inventory.analyzers import ANALYZERS_KEY, REGISTERED, results_key
from pratique.inventory.analyzers._every import ANALYZERS
from pratique.inventory.analyzers._records import MAX_STANZAS
from pratique.inventory.distribution import DISTRIBUTION_PATHS
from pratique.inventory.package import Distribution, Package, PackageDetails
from tests.support.layer_results import layer_file, read

PATHS = {
    "apk": ["lib/apk/db/installed"],
    "binaries": ["usr/local/bin/node", "usr/sbin/nginx"],
    "bottlerocket": ["usr/share/bottlerocket/application-inventory.json"],
    "chisel": ["var/lib/chisel/manifest.wall"],
    "conan": ["root/.conan/data/zlib/1.2.13/_/_/package/ID/conaninfo.txt", "root/.conan/data/zlib/1.2.13/_/_/package/ID/conanmanifest.txt"],
    "conda": ["opt/conda/conda-meta/zlib-1.2.13-h1.json"],
    "cos": ["etc/cos-package-info.json"],
    "dart": ["root/.pub-cache/hosted/pub.dev/a-1.0.0/pubspec.yaml"],
    "dotnet": ["app/Shop.deps.json", "app/packages.lock.json"],
    "dotnet-binary": ["app/A.dll"],
    "dpkg": ["var/lib/dpkg/status", "var/lib/dpkg/status.d/base"],
    "dpkg-copyright": ["usr/share/doc/zlib1g/copyright"],
    "dpkg-files": ["var/lib/dpkg/info/libc6:amd64.list", "var/lib/dpkg/status.d/libssl3.md5sums"],
    "dpkg-md5sums": ["var/lib/dpkg/info/bash.md5sums"],
    "elf-package": ["usr/lib/systemd/systemd"],
    "embedded-sbom": ["opt/bitnami/nginx/.spdx-nginx.spdx", "usr/local/share/app.cdx.json"],
    "erlang": ["usr/lib/erlang/lib/stdlib-4.2/ebin/stdlib.app"],
    "flatpak": ["var/lib/flatpak/app/org.x.Y/x86_64/stable/active/metadata"],
    "gguf": ["models/llama.gguf"],
    "go-binary": ["usr/bin/crane"],
    "haskell": ["usr/lib/ghc/package.conf.d/base-4.17.conf"],
    "homebrew": ["home/linuxbrew/.linuxbrew/Cellar/jq/1.7/INSTALL_RECEIPT.json"],
    "hugging-face": ["root/.cache/huggingface/hub/models--google--gemma-2b/refs/main"],
    "java": ["usr/share/java/commons-lang3.jar", "app/shop.war"],
    "julia": ["root/.julia/environments/v1.9/Manifest.toml"],
    "jvm-release": ["opt/java/openjdk/release"],
    "kernel": ["boot/vmlinuz-6.1.0", "lib/modules/6.1.0/kernel/fs/ext4/ext4.ko"],
    "lua": ["usr/local/lib/luarocks/rocks-5.1/lpeg/1.0-1/lpeg-1.0-1.rockspec"],
    "native-image": ["app/server"],
    "nix": ["nix/var/nix/db/db.sqlite"],
    "nix-store": ["nix/store/0123456789abcdfghijklmnpqrsvwxyz-bash-5.2/bin/bash"],
    "node": ["app/package.json", "node_modules/a/test/package.json"],
    "ocaml": ["root/.opam/default/.opam-switch/packages/dune.3.0/opam"],
    "opkg": ["usr/lib/opkg/status", "usr/lib/opkg/info/a.control"],
    "os-release": list(DISTRIBUTION_PATHS),
    "pacman": ["var/lib/pacman/local/bash-5.2-1/desc"],
    "perl": ["usr/local/lib/perl5/auto/JSON/.packlist"],
    "php-composer": ["app/vendor/composer/installed.json"],
    "php-pear": ["usr/share/php/.registry/archive_tar.reg"],
    "portage": ["var/db/pkg/app-shells/bash-5.2/CONTENTS"],
    "python": ["x.dist-info/METADATA", "x.egg-info"],
    "python-archives": ["app/a-1-py3.9.egg", "app/run.pyz"],
    "python-record": ["x-1.dist-info/RECORD", "x-1.egg-info/installed-files.txt"],
    "r": ["usr/lib/R/site-library/digest/DESCRIPTION"],
    "rpm": ["var/lib/rpm/Packages", "usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/Packages.db"],
    "rpm-manifest": ["var/lib/rpmmanifest/container-manifest-2"],
    "ruby": ["usr/share/rubygems-integration/all/specifications/rack-2.2.gemspec"],
    "rust-binary": ["usr/bin/rg"],
    "safetensors": ["models/bert/model.safetensors"],
    "snap": ["meta/snap.yaml"],
    "spack": ["opt/spack/zlib-1.2.13-x/.spack/spec.json"],
    "swift": ["app/Package.resolved"],
    "vscode": ["root/.vscode-server/extensions/ms-python.python-2024.2.1/package.json"],
    "wordpress": ["var/www/html/wp-content/plugins/akismet/akismet.php"],
    "yarn-cache": ["app/.yarn/cache/a-npm-1.0.0-0123456789-0123456789.zip"],
}
HEADS = {
    "elf-package": b"\x7fELF",
    "go-binary": b"\x7fELF",
    "native-image": b"\x7fELF",
    "rust-binary": b"\x7fELF",
    "gguf": b"GGUF",
    "binaries": b"\x7fELF",
    "nix-store": b"\x7fELF",
}
EVERY = [pytest.param(analyzer, path, id=f"{analyzer.name}:{path}") for analyzer in ANALYZERS for path in PATHS[analyzer.name]]


def test_the_tuple_holds_the_analyzer_of_every_module_in_the_folder() -> None:
    modules = [module.name for module in pkgutil.iter_modules(analyzers.__path__) if not module.name.startswith("_")]
    in_folder = {name: importlib.import_module(f"{analyzers.__name__}.{name}").ANALYZER for name in modules}

    assert sorted(analyzer.name for analyzer in ANALYZERS) == sorted(name.replace("_", "-") for name in modules)
    assert all(analyzer in ANALYZERS for analyzer in in_folder.values())


def test_what_is_registered_is_what_the_modules_say() -> None:
    assert [(one.name, one.version, one.needs_contents) for one in REGISTERED] == [
        (one.name, one.version, one.needs_contents) for one in ANALYZERS
    ]


def test_the_key_changes_with_every_version() -> None:
    raised = [(*REGISTERED[:number], replace(one, version=99), *REGISTERED[number + 1 :]) for number, one in enumerate(REGISTERED)]
    keys = {results_key(compares_contents=False, registered=registered) for registered in (*raised, REGISTERED[1:])}
    others = {ANALYZERS_KEY, results_key(compares_contents=True), results_key(compares_contents=False, pass_version=99)}

    assert len(keys | others) == len(REGISTERED) + 4


@pytest.mark.parametrize(("analyzer", "path"), EVERY)
def test_an_analyzer_wants_its_own_paths(analyzer: Analyzer, path: str) -> None:
    assert analyzer.paths.matches(path, HEADS.get(analyzer.name, b""))


LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"Package: a", b"Version: 1", b"Status: install ok installed", b"P:a", b"V:1", b"o:", b"", b" x", b"Source: b (", b"Name: a"]
        ),
        st.sampled_from([b"ID=debian", b'VERSION_ID="11', b'{"name":"a","version":"1"}', b'{"name": "@/"', b"[[", b"11.9", b"v3.1"]),
        st.binary(max_size=30),
    ),
    max_size=12,
).map(b"\n".join)


@pytest.mark.parametrize(("analyzer", "path"), EVERY)
@given(content=st.one_of(LINES, st.binary(max_size=200)))
def test_bytes_of_any_kind_give_facts_or_an_input_error(analyzer: Analyzer, path: str, content: bytes) -> None:
    facts, error = read(analyzer.parse, LayerFile(path=path, content=content))

    assert all(isinstance(fact, Package | Distribution | PackageDetails) for fact in facts)
    assert all(fact.purl for fact in facts if isinstance(fact, Package))
    assert read(analyzer.parse, LayerFile(path=path, content=content)) == (facts, error)


@pytest.mark.parametrize("name", ["apk", "dpkg", "python", "node", "os-release"])
@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01\x01\0\0\0", b"\x1f\x8b\x08" + bytes(range(256)), b"<html>\n</html>\n"])
def test_a_file_of_another_kind_is_an_error_not_an_empty_list(name: str, content: bytes) -> None:
    analyzer = next(analyzer for analyzer in ANALYZERS if analyzer.name == name)
    facts, error = read(analyzer.parse, LayerFile(path=PATHS[name][0], content=content))

    assert facts == []
    assert error


@pytest.mark.parametrize(("name", "stanza"), [("dpkg", "Package: a\nVersion: 1\n\n"), ("apk", "P:a\nV:1\n\n")])
def test_a_database_of_too_many_stanzas_is_refused(name: str, stanza: str) -> None:
    analyzer = next(analyzer for analyzer in ANALYZERS if analyzer.name == name)
    _, error = read(analyzer.parse, layer_file(PATHS[name][0], stanza * MAX_STANZAS))

    assert error == f"more than {MAX_STANZAS} stanzas"


@pytest.mark.parametrize(("name", "field"), [("dpkg", "Package: a\nVersion: {}\n"), ("apk", "P:a\nV:{}\n")])
@pytest.mark.parametrize("version", ["", " ", "1 2", "1\x00", "é", "9" * 600])
def test_a_version_that_is_no_printable_word_is_an_error(name: str, field: str, version: str) -> None:
    analyzer = next(analyzer for analyzer in ANALYZERS if analyzer.name == name)
    facts, error = read(analyzer.parse, layer_file(PATHS[name][0], field.format(version)))

    assert (facts, "ersion" in error) == ([], True)
