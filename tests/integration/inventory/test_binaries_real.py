"""Programs and libraries as Debian builds them: the version that a file holds is the upstream version of the package it comes in.

Debian's package manager owns these files; here they stand for the same programs unpacked from an archive.
"""

import gzip
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from pratique.inventory.analyzers.binaries import ANALYZER
from pratique.inventory.package import Package
from tests.support.debian_packages import read_tree, unpack

# 27 MB in all; the name of a group's folder is made of these names and must stay below 255 bytes
GROUPS = tuple(
    tuple(names.split())
    for names in (
        "busybox-static bash gzip xz-utils zstd jq util-linux wget rsync tcpdump tini curl libcurl4 zlib1g libexpat1",
        "perl-base python3.11-minimal lua5.4 libsqlite3-0",
        "nginx apache2-bin lighttpd memcached redis-tools mariadb-client-core bind9 varnish mosquitto",
        "openssl libssl3 libkrb5-3 ldap-utils openssh-client dnsmasq-base libavutil57",
        "runc crun conmon",
    )
)
CASES = (
    ("busybox-static", "bin/busybox", "generic/busybox"),
    ("bash", "bin/bash", "generic/bash"),
    ("gzip", "bin/gzip", "generic/gzip"),
    ("xz-utils", "usr/bin/xz", "generic/xz"),
    ("zstd", "usr/bin/zstd", "generic/zstd"),
    ("jq", "usr/bin/jq", "generic/jq"),
    ("util-linux", "usr/bin/getopt", "generic/util-linux"),
    ("wget", "usr/bin/wget", "generic/wget"),
    ("rsync", "usr/bin/rsync", "generic/rsync"),
    ("tcpdump", "usr/bin/tcpdump", "generic/tcpdump"),
    ("tini", "usr/bin/tini", "generic/tini"),
    ("tini", "usr/bin/tini-static", "generic/tini"),
    ("curl", "usr/bin/curl", "generic/curl"),
    ("libcurl4", "usr/lib/*/libcurl.so.4.*", "generic/curl"),
    ("zlib1g", "lib/*/libz.so.1.*", "generic/zlib"),
    ("libexpat1", "lib/*/libexpat.so.1.*", "generic/expat"),
    ("perl-base", "usr/bin/perl", "generic/perl"),
    ("perl-base", "usr/bin/perl5.*", "generic/perl"),
    ("python3.11-minimal", "usr/bin/python3.11", "generic/python"),
    ("lua5.4", "usr/bin/lua5.4", "generic/lua"),
    ("libsqlite3-0", "usr/lib/*/libsqlite3.so.0.8.6", "generic/sqlite"),
    ("nginx", "usr/sbin/nginx", "generic/nginx"),
    ("apache2-bin", "usr/sbin/apache2", "generic/httpd"),
    ("lighttpd", "usr/sbin/lighttpd", "generic/lighttpd"),
    ("memcached", "usr/bin/memcached", "generic/memcached"),
    ("redis-tools", "usr/bin/redis-check-rdb", "generic/redis"),
    ("mariadb-client-core", "usr/bin/mariadb", "generic/mariadb"),
    ("bind9", "usr/sbin/named", "generic/bind"),
    ("varnish", "usr/sbin/varnishd", "generic/varnish"),
    ("mosquitto", "usr/sbin/mosquitto", "generic/mosquitto"),
    ("openssl", "usr/bin/openssl", "generic/openssl"),
    ("libssl3", "usr/lib/*/libcrypto.so.3", "generic/openssl"),
    ("libkrb5-3", "usr/lib/*/libkrb5.so.3.3", "generic/krb5"),
    ("ldap-utils", "usr/bin/ldapsearch", "generic/openldap"),
    ("openssh-client", "usr/bin/ssh", "generic/openssh"),
    ("openssh-client", "usr/bin/ssh-keyscan", "generic/openssh"),
    ("dnsmasq-base", "usr/sbin/dnsmasq", "generic/dnsmasq"),
    ("libavutil57", "usr/lib/*/libavutil.so.57.*", "generic/ffmpeg"),
    ("runc", "usr/sbin/runc", "golang/github.com/opencontainers/runc"),
    ("crun", "usr/bin/crun", "generic/crun"),
    ("conmon", "usr/bin/conmon", "generic/conmon"),
)


@cache
def found_in(group: tuple[str, ...]) -> dict[str, list[Package]]:
    facts, problems = read_tree(unpack(*group), ANALYZER)
    assert problems == {}
    return {path: [fact for fact in found if isinstance(fact, Package)] for path, found in facts.items()}


@cache
def upstream_version(root: Path, package: str) -> str:
    """The upstream version of an unpacked package, from its changelog."""
    changelog = next((root / "usr/share/doc" / package).glob("changelog.Debian.gz"))
    version = gzip.decompress(changelog.read_bytes()).decode().partition("(")[2].partition(")")[0]
    return numbers(version.partition(":")[2] or version)


def numbers(version: str) -> str:
    """What upstream called it: without Debian's revision, marks such as `+dfsg`, and Go's `v`."""
    match = re.match(r"[0-9]+(?:\.[0-9]+)*(?:[a-z]+[0-9]*)?", version.rpartition("+really")[2].removeprefix("v"))
    return match[0] if match else ""


@pytest.mark.parametrize(("package", "path", "purl"), CASES)
def test_the_version_in_a_file_is_that_of_its_package(package: str, path: str, purl: str) -> None:
    group = next(group for group in GROUPS if package in group)
    found = [
        fact for at, facts in found_in(group).items() if fnmatchcase(at, path) for fact in facts if fact.purl.startswith(f"pkg:{purl}@")
    ]

    assert [numbers(fact.version) for fact in found] == [upstream_version(unpack(*group), package)]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0])
def test_nothing_else_is_taken_for_software(group: tuple[str, ...]) -> None:
    for path, facts in found_in(group).items():
        expected = {purl for package, at, purl in CASES if package in group and fnmatchcase(path, at)}
        assert {fact.purl.removeprefix("pkg:").rpartition("@")[0] for fact in facts} == expected, path
