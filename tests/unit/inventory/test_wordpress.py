"""WordPress, its plugins and themes."""

import pytest
from hypothesis import given

from pratique.inventory.analyzers.wordpress import ANALYZER, HEAD_BYTES
from tests.support.language_facts import details_of, packages_of, purls, refusal
from tests.support.layer_results import ASSETS, asset_file, layer_file
from tests.support.mutated import answer_or_refuse, mutated

ROOT = "var/www/html"
PLUGIN = f"{ROOT}/wp-content/plugins/akismet/akismet.php"
CORE = f"{ROOT}/wp-includes/version.php"


def test_a_real_plugin_is_named_by_its_directory() -> None:
    (package,) = packages_of(ANALYZER, asset_file(PLUGIN, "wordpress/akismet.php"))

    assert (package.purl, package.vendor, package.licenses) == ("pkg:wordpress/plugin/akismet@5.0.2", "Automattic", ("GPLv2 or later",))
    assert details_of(ANALYZER, asset_file(PLUGIN, "wordpress/akismet.php"))[0].directories == (f"{ROOT}/wp-content/plugins/akismet",)


def test_wordpress_itself_has_a_version_and_a_cpe() -> None:
    file = asset_file(CORE, "wordpress/version.php")

    assert purls(ANALYZER, file) == ["pkg:wordpress/wordpress@6.1.9"]
    assert packages_of(ANALYZER, file)[0].cpes == ("cpe:2.3:a:wordpress:wordpress:6.1.9:*:*:*:*:*:*:*",)
    assert details_of(ANALYZER, file)[0].directories == (f"{ROOT}/wp-includes", f"{ROOT}/wp-admin")


def test_a_release_candidate_is_escaped_in_its_cpe() -> None:
    (package,) = packages_of(ANALYZER, layer_file(CORE, "<?php\n$wp_version = '6.5-RC1';\n"))

    assert package.cpes == ("cpe:2.3:a:wordpress:wordpress:6.5\\-RC1:*:*:*:*:*:*:*",)


@pytest.mark.parametrize(
    ("path", "purl"),
    [
        ("wp-content/plugins/hello.php", "pkg:wordpress/plugin/hello@1.7"),
        ("wp-content/mu-plugins/loader.php", "pkg:wordpress/plugin/loader@1.7"),
        ("wp-content/plugins/a/other.php", "pkg:wordpress/plugin/a@1.7"),
    ],
)
@pytest.mark.parametrize(
    "header",
    [
        "<?php\n/*\nPlugin Name: A\nVersion: 1.7 beta\n*/",
        "<?php /* Plugin Name: A */\n// Version: 1.7",
        "/**\r * plugin name:A\r * VERSION:1.7 */",
    ],
)
def test_headers_are_read_as_wordpress_reads_them(path: str, purl: str, header: str) -> None:
    assert purls(ANALYZER, layer_file(path, header)) == [purl]


def test_a_plugin_of_one_file_owns_that_file_only() -> None:
    (details,) = details_of(ANALYZER, layer_file("wp-content/plugins/hello.php", "<?php\n/*\nPlugin Name: A\nVersion: 1\n*/"))

    assert (details.files, details.directories) == ((("wp-content/plugins/hello.php", ""),), ())


def test_a_theme_says_its_version_in_its_style_sheet() -> None:
    file = layer_file("wp-content/themes/twenty/style.css", "/*\nTheme Name: Twenty\nVersion: 1.5\nLicense: GPL-2.0-or-later\n*/\nbody {}")

    assert purls(ANALYZER, file) == ["pkg:wordpress/theme/twenty@1.5"]


@pytest.mark.parametrize(
    "content", ["", "<?php // Silence is golden.", "<?php\n/* Version: 1 */", "<?php\n/*\nPlugin Name: A\n*/", "\x7fELF"]
)
def test_the_other_files_of_a_plugin_are_neither_packages_nor_gaps(content: str) -> None:
    assert purls(ANALYZER, layer_file(PLUGIN, content)) == []


def test_what_stands_behind_the_first_8_kb_does_not_count() -> None:
    assert purls(ANALYZER, layer_file(PLUGIN, "<?php\n/*\nPlugin Name: A\n" + " " * HEAD_BYTES + "\nVersion: 1\n*/")) == []


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        (CORE, "", "wp_version"),
        (CORE, "<?php $wp_version = VERSION;", "wp_version"),
        (CORE, "<?php\n$wp_version = 'six';", "wp_version"),
        (PLUGIN, "/*\nPlugin Name: A\nVersion: é\n*/", "Version"),
        ("wp-content/plugins/a b/a.php", "/*\nPlugin Name: A\nVersion: 1\n*/", "directory of plugins"),
    ],
)
def test_an_unreadable_version_is_a_gap(path: str, content: str, problem: str) -> None:
    assert problem in refusal(ANALYZER, layer_file(path, content))[1]


@pytest.mark.parametrize("path", ["a.php", "wp-content/plugins/a/inc/b.php", "a/style.css", "wp-content/a.php", "xwp-includes/version.php"])
def test_other_php_files_are_not_wanted(path: str) -> None:
    assert not ANALYZER.paths.matches(path)


@given(content=mutated(*((ASSETS / "wordpress" / name).read_bytes() for name in ("akismet.php", "version.php"))))
def test_bytes_of_any_kind_give_facts_or_an_input_error(content: bytes) -> None:
    for path in (PLUGIN, CORE, "wp-content/themes/a/style.css"):
        answer_or_refuse(ANALYZER.parse, layer_file(path, content))
