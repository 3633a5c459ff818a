"""Extensions of Visual Studio Code and its relatives."""

import json

import pytest
from hypothesis import given

from pratique.errors import InvalidRecord
from pratique.inventory.analyzer import LayerFile
from pratique.inventory.analyzers import REGISTERED
from pratique.inventory.analyzers.node import parse as parse_node
from pratique.inventory.analyzers.vscode import ANALYZER, parse
from pratique.inventory.image_view import view_image
from pratique.inventory.layer_result import AnalyzedFile
from pratique.inventory.merge import merge_layers
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import ASSETS, analyzed, asset_file, layer, layer_file
from tests.support.mutated import answer_or_refuse, mutated

FOLDER = "root/.vscode-server/extensions/sampleorg.sample-lint-2.14.0"
PLACE = f"{FOLDER}/package.json"
BUILTIN = "usr/lib/code-server/lib/vscode/extensions/go/package.json"
IN_NPM = "usr/lib/node_modules/code-server/lib/vscode/extensions/go/package.json"
INSTALLED = (ASSETS / "vscode/installed-package.json").read_bytes()
SMALL = {"name": "a", "version": "1.2.3", "publisher": "p", "engines": {"vscode": "^1.0.0"}}


def manifest(path: str = PLACE, /, **fields: object) -> LayerFile:
    return layer_file(path, json.dumps({**SMALL, **fields}))


def extension(file: LayerFile) -> Package:
    package = next(parse(file))
    assert isinstance(package, Package)
    return package


def test_an_installed_extension_tells_publisher_version_platform_and_licence() -> None:
    package, details = parse(asset_file(PLACE, "vscode/installed-package.json"))

    assert isinstance(package, Package)
    assert package.purl == "pkg:vscode-extension/SampleOrg/Sample-Lint@2.14.0?platform=linux-x64"
    assert (package.ecosystem, package.vendor, package.licenses) == ("VSCode", "Sample Organisation", ("MIT",))
    assert isinstance(details, PackageDetails)
    assert (details.type, details.name, details.version) == ("vscode-extension", "SampleOrg/Sample-Lint", "2.14.0")
    assert details.directories == (FOLDER,)


@pytest.mark.parametrize("path", [BUILTIN, IN_NPM])
def test_an_extension_that_the_editor_brings_along_counts(path: str) -> None:
    assert extension(asset_file(path, "vscode/builtin-package.json")).purl == "pkg:vscode-extension/vscode/go@1.0.0"


@pytest.mark.parametrize(
    ("folder", "metadata", "platform"),
    [
        ("p.a-1.2.3-linux-arm64", {}, "linux-arm64"),
        ("p.a-1.2.3-web", {"targetPlatform": "undefined"}, "web"),
        ("p.a-1.2.3-linux-x64", {"targetPlatform": "alpine-x64"}, "alpine-x64"),
        ("p.a-1.2.3-universal", {"targetPlatform": "universal"}, None),
        ("p.a-1.2.3", {"targetPlatform": 1}, None),
        ("p.a-1.2.3", [], None),
        ("p.a-my-web", {"targetPlatform": "x&y=z"}, None),
    ],
)
def test_the_platform_is_what_the_editor_noted_or_else_the_end_of_the_folder(folder: str, metadata: object, platform: str | None) -> None:
    package = extension(manifest(f"home/coder/.local/share/code-server/extensions/{folder}/package.json", __metadata=metadata))

    assert package.qualifiers.get("platform") == platform


def test_without_a_publisher_it_is_named_as_the_editors_do() -> None:
    assert extension(manifest(publisher=None)).namespace == "undefined_publisher"


@pytest.mark.parametrize(
    "fields",
    [
        {"engines": {"node": ">=18"}},
        {"engines": ["node >= 0.6"]},
        {"engines": {"vscode": 1}},
        {"engines": None},
        {"publisher": {"name": "p"}},
        {"version": None},
        {"name": ""},
    ],
)
def test_what_the_editors_would_not_load_is_no_extension(fields: dict[str, object]) -> None:
    assert list(parse(manifest(**fields))) == []


BROKEN = [
    b"",
    b"[]",
    (ASSETS / "vscode/cut-package.json").read_bytes(),
    json.dumps({**SMALL, "name": "@scope/a"}).encode(),
    json.dumps({**SMALL, "publisher": "p/q"}).encode(),
    json.dumps({**SMALL, "publisher": "p q"}).encode(),
    json.dumps({**SMALL, "version": "1 2"}).encode(),
    b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
]


@pytest.mark.parametrize("content", BROKEN)
def test_what_cannot_be_read_is_a_gap_outside_of_npm_packages(content: bytes) -> None:
    with pytest.raises(InvalidRecord, match=r"expected an?|publisher of a"):
        list(parse(layer_file(PLACE, content)))
    assert list(parse(layer_file(IN_NPM, content))) == []


def test_only_folders_of_extensions_are_wanted() -> None:
    others = [
        "app/package.json",
        "extensions/package.json",
        f"{FOLDER}/out/package.json",
        f"{FOLDER}/node_modules/minimatch/package.json",
        "usr/lib/code-server/lib/vscode/extensions/node_modules/package.json",
        "root/.vscode-server/extensions/.d3adb33f/package.json",
        "app/my-extensions/a/package.json",
        f"{FOLDER}/package.nls.json",
    ]

    assert all(map(ANALYZER.paths.matches, (PLACE, BUILTIN, IN_NPM, "extensions/a/package.json")))
    assert not any(map(ANALYZER.paths.matches, others))


def both(file: LayerFile) -> list[AnalyzedFile]:
    """What the host records of a file that two analyzers want."""
    facts = {name: [fact for fact in read(file) if isinstance(fact, Package)] for name, read in (("node", parse_node), ("vscode", parse))}
    return [analyzed(file.path, *found, analyzer=name) for name, found in facts.items() if found]


def installed(*files: AnalyzedFile) -> list[str]:
    return [one.package.purl for one in merge_layers(view_image([layer("sha256:base", *files)]), REGISTERED).packages]


def test_an_extension_is_no_npm_package_but_what_it_bundles_is() -> None:
    bundled = analyzed(f"{FOLDER}/node_modules/b/package.json", Package(type="npm", name="b", version="1"), analyzer="node")

    assert installed(*both(manifest()), bundled) == ["pkg:npm/b@1", "pkg:vscode-extension/p/a@1.2.3"]


def test_a_package_that_is_no_extension_stays_one_of_npm() -> None:
    assert installed(*both(manifest("app/extensions/a/package.json", engines={"node": ">=18"}))) == ["pkg:npm/a@1.2.3"]


def test_a_namesake_elsewhere_stays_one_of_npm() -> None:
    same = analyzed("app/node_modules/a/package.json", Package(type="npm", name="a", version="1.2.3", ecosystem="npm"), analyzer="node")

    assert installed(*both(manifest()), same) == ["pkg:npm/a@1.2.3", "pkg:vscode-extension/p/a@1.2.3"]


@given(mutated(INSTALLED, json.dumps(SMALL).encode()))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (PLACE, IN_NPM):
        answer_or_refuse(parse, layer_file(path, content))
