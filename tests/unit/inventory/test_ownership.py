"""Whose the files are that packages were found in, and who answers for them."""

from dataclasses import replace

import pytest

from pratique.inventory.image_view import view_image
from pratique.inventory.layer_paths import join_paths
from pratique.inventory.layer_result import AnalyzedFile, OwnedFiles
from pratique.inventory.layer_stack import ScannedLayer
from pratique.inventory.merge import MAX_CPES, merge_layers
from pratique.inventory.ownership import PackageIndex
from pratique.inventory.package import Distribution, InstalledPackage, Package
from tests.support.layer_results import analyzed, deb, layer, npm

BASE, MIDDLE, TOP = "sha256:base", "sha256:middle", "sha256:top"
STATUS = "var/lib/dpkg/status"
NPM = "usr/lib/node_modules/npm/package.json"
DEBIAN = Distribution(id="debian", version_id="12", ecosystem="Debian:12")
TEAM = "Debian Javascript Maintainers <pkg-javascript-devel@alioth-lists.debian.net>"
NODESOURCE = "Ivan Iguaran <ivan@nodesource.com>"
OWNER = "pkg:deb/debian/nodejs@18?distro=debian-12"


def owned(*paths: str, name: str = "nodejs", kind: str = "deb") -> OwnedFiles:
    return OwnedFiles(type=kind, name=name, paths=join_paths(paths))


def base(
    *more: AnalyzedFile,
    vendor: str = TEAM,
    distribution: Distribution = DEBIAN,
    files: tuple[str, ...] = (NPM,),
    links: dict[str, str] | None = None,
) -> ScannedLayer:
    """A distribution with a nodejs that brings npm."""
    release = analyzed("etc/os-release", distribution, analyzer="os-release")
    status = analyzed(STATUS, deb("nodejs", "18", vendor=vendor), owned(*files))
    return layer(BASE, release, status, analyzed(NPM, npm("npm"), analyzer="node"), *more, links=links or {})


def owner_of(name: str, *layers: ScannedLayer) -> str | None:
    return next(one.owned_by for one in merge_layers(view_image(layers), []).packages if one.package.name == name)


def listed(*layers: ScannedLayer) -> list[str]:
    return [f"{one.package.type}/{one.package.name}" for one in merge_layers(view_image(layers), []).packages]


# What answers for a language package


def test_what_a_package_of_the_distribution_brought_is_the_distribution_s() -> None:
    assert owner_of("npm", base()) == OWNER
    assert owner_of("npm", base(files=("lib/node_modules/npm/package.json",), links={"lib": "usr/lib"})) == OWNER


def test_what_a_third_party_s_package_brought_has_findings_of_its_own() -> None:
    assert owner_of("npm", base(vendor=NODESOURCE)) is None
    assert owner_of("npm", base(vendor="")) is None


@pytest.mark.parametrize("distribution", [Distribution(id="debian", version_id="13"), replace(DEBIAN, id="ubuntu", ecosystem=None)])
def test_without_advisories_for_the_distribution_nobody_answers(distribution: Distribution) -> None:
    assert owner_of("npm", base(distribution=distribution)) is None


def test_what_a_higher_layer_wrote_over_is_not_what_the_owner_installed() -> None:
    same = layer(TOP, analyzed(NPM, npm("npm"), analyzer="node"))

    assert owner_of("npm", base(), same) is None
    assert owner_of("npm", base(), layer(TOP, analyzed(NPM, npm("npm", "2"), analyzer="node"))) is None
    upgraded = analyzed(STATUS, deb("nodejs", "19", vendor=TEAM), owned(NPM))
    assert owner_of("npm", base(), same, layer("sha256:upgrade", upgraded, analyzed(NPM, npm("npm"), analyzer="node"))) == OWNER.replace(
        "18", "19"
    )


def test_a_layer_that_an_image_has_twice_is_the_lower_one() -> None:
    again = layer(MIDDLE, analyzed(NPM, npm("npm"), analyzer="node"))

    assert owner_of("npm", base(), again, base()) is None


@pytest.mark.parametrize("place", ["opt", "usr/local/lib", "srv", "home/me", "root", "app", "data", "var/lib", ""])
def test_only_in_directories_of_the_system_a_distribution_answers(place: str) -> None:
    path = f"{place}/npm/package.json".lstrip("/")
    found = layer(TOP, analyzed(path, npm("other"), analyzer="node"))
    release = analyzed("etc/os-release", DEBIAN, analyzer="os-release")
    status = layer("sha256:status", release, analyzed(STATUS, deb("nodejs", "18", vendor=TEAM), owned(path)))

    assert owner_of("other", found, status) is None
    linked = layer("sha256:link", links={"usr/lib/way": f"/{place}"})
    through = layer("sha256:through", analyzed("usr/lib/way/npm/package.json", npm("hidden"), analyzer="node"))
    status = layer("sha256:status", release, analyzed(STATUS, deb("nodejs", "18", vendor=TEAM), owned("usr/lib/way/npm/package.json")))
    assert owner_of("hidden", linked, through, status) is None


def test_a_file_that_a_third_party_claims_too_is_disputed() -> None:
    also = layer(TOP, analyzed("var/lib/dpkg/status.d/x", deb("x", vendor=NODESOURCE), owned(NPM, name="x")))

    assert owner_of("npm", base(), also) is None


def test_one_record_outside_is_enough_for_findings_of_its_own() -> None:
    assert owner_of("npm", base(), layer(TOP, analyzed("srv/package.json", npm("npm"), analyzer="node"))) is None


def test_the_packages_that_a_language_package_owns_do_not_answer() -> None:
    record = OwnedFiles(type="npm", name="bundle", directories=("usr/lib/node_modules",), paths=join_paths([NPM]))
    bundle = layer(TOP, analyzed("usr/lib/bundle/package.json", npm("bundle"), record, analyzer="node"))

    assert owner_of("npm", layer(BASE, analyzed(NPM, npm("npm"), analyzer="node")), bundle) is None


# Guesses


NODE = Package(type="generic", name="node", version="18")
KUBELET = Package(type="golang", namespace="k8s.io", name="kubernetes", version="v1.28.3", ecosystem="Kubernetes")


def with_guess(guess: Package, *, vendor: str = TEAM, distribution: Distribution = DEBIAN, path: str = "usr/bin/node") -> list[str]:
    image = base(analyzed(path, guess, analyzer="binaries"), vendor=vendor, distribution=distribution, files=(path,))
    return [name for name in listed(image) if name != "npm/npm"]


@pytest.mark.parametrize("guess", [NODE, KUBELET])
def test_what_is_recognised_in_files_of_the_distribution_is_told_by_it(guess: Package) -> None:
    assert with_guess(guess) == ["deb/nodejs"]


@pytest.mark.parametrize("guess", [NODE, KUBELET])
def test_what_is_recognised_in_files_of_a_third_party_s_package_is_listed_beside_that(guess: Package) -> None:
    assert with_guess(guess, vendor=NODESOURCE) == ["deb/nodejs", f"{guess.type}/{guess.name}"]
    assert with_guess(guess, path="opt/node") == ["deb/nodejs", f"{guess.type}/{guess.name}"]


def test_without_advisories_for_the_distribution_only_guesses_that_can_be_matched_are_listed() -> None:
    silent = Distribution(id="fedora", version_id="40")

    assert with_guess(NODE, distribution=silent) == ["deb/nodejs"]
    assert with_guess(KUBELET, distribution=silent) == ["deb/nodejs", "golang/kubernetes"]


def test_a_guess_in_a_file_that_a_higher_layer_wrote_over_is_listed() -> None:
    below = base(files=("usr/bin/node",), distribution=Distribution(id="fedora", version_id="40"))

    assert "generic/node" in listed(below, layer(TOP, analyzed("usr/bin/node", NODE, analyzer="binaries")))
    assert "generic/node" in listed(base(files=("usr/bin/node",)), layer(TOP, analyzed("usr/bin/node", NODE, analyzer="binaries")))


def test_a_guess_does_not_answer_and_does_not_take_the_place_of_the_package_it_guesses() -> None:
    note = Package(type="deb", name="nodejs", version="18", namespace="debian", qualifiers={"distro": "debian-12"})
    image = base(analyzed("usr/bin/node", note, analyzer="elf-package"), files=(NPM, "usr/bin/node"))

    assert listed(image) == ["deb/nodejs", "npm/npm"]
    assert owner_of("npm", image) == OWNER


# CPE names


def test_a_package_that_two_analyzers_find_has_the_cpe_names_of_both() -> None:
    found = replace(npm("x"), cpes=("cpe:b", "cpe:a"))
    one, two = (
        analyzed("usr/bin/x", found, analyzer="go-binary"),
        analyzed("usr/bin/x", replace(found, cpes=("cpe:c", "cpe:b")), analyzer="binaries"),
    )
    plain = analyzed("usr/bin/y", npm("x"), analyzer="go-binary")

    def cpes(*layers: ScannedLayer) -> list[tuple[str, ...]]:
        return [each.package.cpes for each in merge_layers(view_image(layers), []).packages]

    assert cpes(layer(BASE, one)) == cpes(layer(BASE, one, plain)) == cpes(layer(BASE, plain, one)) == [("cpe:b", "cpe:a")]
    assert cpes(layer(BASE, one, two)) == cpes(layer(BASE, two), layer(TOP, plain, replace(one, path="z"))) == [("cpe:a", "cpe:b", "cpe:c")]


def test_cpe_names_of_one_package_are_bounded() -> None:
    files = [analyzed(f"{number}/x", replace(npm("x"), cpes=(f"cpe:{number:04}",)), analyzer="go-binary") for number in range(3000)]
    (package,) = merge_layers(view_image([layer(BASE, *files)]), []).packages

    assert package.package.cpes == tuple(f"cpe:{number:04}" for number in range(MAX_CPES))


# Hostile images


class Counted(str):
    """A version that counts how often it is compared or hashed."""

    __slots__ = ()
    uses = 0

    def __eq__(self, other: object) -> bool:
        Counted.uses += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        Counted.uses += 1
        return super().__hash__()


def test_200000_packages_of_one_name_are_found_one_by_one() -> None:
    number = 200_000
    installed = [
        InstalledPackage(package=Package(type="pypi", name="x", version=Counted(each)), paths=(f"{each}/METADATA",), layer=None)
        for each in range(number)
    ]
    index = PackageIndex(installed)
    Counted.uses = 0
    by_version = [index.find(OwnedFiles(type="pypi", name="x", version=str(each))) for each in range(number)]
    by_place = [index.find(OwnedFiles(type="pypi", name="x", version="?", paths=f"no\0{each}/METADATA\0")) for each in range(number)]

    assert all(one is two for one, two in zip(by_version, installed, strict=True))
    assert all(one is two for one, two in zip(by_place, installed, strict=True))
    assert index.find(OwnedFiles(type="pypi", name="x", version="?", paths="no\0")) is None
    assert Counted.uses < 20 * number


def test_records_and_packages_without_number_are_merged_in_time_that_grows_with_them() -> None:
    number = 20_000
    paths = [f"usr/lib/node_modules/{each}/package.json" for each in range(number)]
    records = [owned(path, name="nodejs") for path in paths]
    status = analyzed(
        STATUS, deb("nodejs", "18", vendor=TEAM), *records, owned(*paths, *(f"usr/share/{each}" for each in range(10 * number)))
    )
    release = analyzed("etc/os-release", DEBIAN, analyzer="os-release")
    files = [analyzed(path, npm("x", str(each)), analyzer="node") for each, path in enumerate(paths)]
    links = {f"l{each}": f"l{(each + 1) % number}" for each in range(number)} | {f"usr/lib{each}": "lib" for each in range(number)}
    found = merge_layers(view_image([layer(BASE, release, status, *files, links=links)]), []).packages

    assert sum(one.owned_by == OWNER for one in found) == number
