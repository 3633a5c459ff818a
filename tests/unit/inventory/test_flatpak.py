"""Flatpak's deployments."""

import pytest
from hypothesis import given

from pratique.errors import InputError
from pratique.inventory.analyzers.flatpak import ANALYZER, parse
from pratique.inventory.package import Package, PackageDetails
from tests.support.layer_results import layer_file, read
from tests.support.mutated import answer_or_refuse, mutated

APP = "var/lib/flatpak/app/org.example.Draw/x86_64/stable/0f3a"
METAINFO_PATH = f"{APP}/export/share/metainfo/org.example.Draw.metainfo.xml"
RUNTIME = "var/lib/flatpak/runtime/org.gnome.Platform/x86_64/45/1b2c"
METAINFO = """<?xml version="1.0" encoding="UTF-8"?>
<component type="desktop-application">
  <id>org.example.Draw</id>
  <name>Draw</name><name xml:lang="de">Malen</name>
  <developer_name>The Draw team</developer_name>
  <project_license>GPL-3.0-or-later</project_license>
  <releases>
    <release version="2.10.38" date="2024-05-02"><description><p>Fixes.</p></description></release>
    <release version="2.10.36" date="2023-11-05"/>
  </releases>
</component>
"""
METADATA = "[Runtime]\nname=org.gnome.Platform\nruntime=org.gnome.Platform/x86_64/45\nsdk=org.gnome.Sdk/x86_64/45\n"


def test_an_application_has_the_version_of_its_newest_release() -> None:
    package, details = parse(layer_file(METAINFO_PATH, METAINFO))

    assert isinstance(package, Package)
    assert package.purl == "pkg:flatpak/org.example.Draw@2.10.38?arch=x86_64"
    assert (package.vendor, package.licenses) == ("The Draw team", ("GPL-3.0-or-later",))
    assert isinstance(details, PackageDetails)
    assert details.directories == (APP,)


def test_the_identifier_may_end_in_desktop() -> None:
    path = f"{APP}/files/share/appdata/org.example.Draw.appdata.xml"

    assert len(read(parse, layer_file(path, METAINFO.replace("Draw</id>", "Draw.desktop</id>")))[0]) == 2


def test_a_runtime_has_its_branch_for_a_version() -> None:
    package, details = parse(layer_file(f"{RUNTIME}/metadata", METADATA))

    assert isinstance(package, Package)
    assert package.purl == "pkg:flatpak/org.gnome.Platform@45?arch=x86_64"
    assert isinstance(details, PackageDetails)
    assert details.directories == (RUNTIME,)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (METAINFO_PATH, METAINFO.replace("org.example.Draw<", "org.example.Draw.Plugin<")),
        (METAINFO_PATH, "<component><id>org.example.Draw</id></component>"),
        (METAINFO_PATH, "<component><id>org.example.Draw</id><releases><release/></releases></component>"),
        (f"{APP}/metadata", "[Application]\nname=org.example.Draw\n"),
    ],
)
def test_what_tells_no_version_is_neither_a_package_nor_a_gap(path: str, content: str) -> None:
    assert read(parse, layer_file(path, content)) == ([], "")


BROKEN = [
    (METAINFO_PATH, "", "expected XML"),
    (METAINFO_PATH, "[Runtime]", "expected XML"),
    (METAINFO_PATH, METAINFO[:400], "expected XML"),
    (METAINFO_PATH, '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><component/>', "without a document type"),
    (METAINFO_PATH, '<?xml version="1.0" encoding="no-such"?><component/>', "expected XML"),
    (METAINFO_PATH, "<a>" * 5_000, "deeper than"),
    (METAINFO_PATH, METAINFO.replace("2.10.38", "2 10"), "printable ASCII"),
    (f"{RUNTIME}/metadata", "", "expected the metadata of"),
    (f"{RUNTIME}/metadata", METADATA.replace("name=org.gnome", "name=org.kde"), "expected the metadata of"),
]


@pytest.mark.parametrize(("path", "content", "reason"), BROKEN)
def test_what_flatpak_did_not_write_is_a_gap(path: str, content: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        list(parse(layer_file(path, content)))


def test_only_deployments_are_wanted() -> None:
    home = METAINFO_PATH.replace("var/lib/", "home/a/.local/share/")

    assert all(map(ANALYZER.paths.matches, (METAINFO_PATH, home, f"{RUNTIME}/metadata", f"{APP}/metadata")))
    assert not any(map(ANALYZER.paths.matches, ("usr/share/metainfo/a.metainfo.xml", "metadata", f"{APP}/files/metadata")))


@given(mutated(METAINFO.encode(), METADATA.encode()))
def test_any_bytes_give_facts_or_an_input_error(content: bytes) -> None:
    answer_or_refuse(parse, layer_file(METAINFO_PATH, content))
    answer_or_refuse(parse, layer_file(f"{RUNTIME}/metadata", content))
