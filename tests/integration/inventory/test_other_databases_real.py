"""Databases that the package managers themselves write here: pacman's and Nix's, from Debian's packages of both."""

import os
import subprocess
from pathlib import Path

from pratique.inventory.analyzers import nix, nix_store, pacman
from pratique.inventory.package import Package, PackageDetails
from tests.support.debian_packages import read_tree, unpack

PACMAN = ("pacman-package-manager", "libalpm13", "libarchive-tools", "libarchive13", "libgpgme11", "libassuan0", "libcurl4")
NIX = ("nix-bin", "libgc1", "libcpuid16", "libboost-context1.74.0", "libsodium23", "libseccomp2", "libcurl3-gnutls", "libarchive13")
PKGINFO = """pkgname = demo-tool
pkgbase = demo
pkgver = 1:2.0.1-3
arch = x86_64
license = MIT
packager = Demo <demo@example.org>
size = 3
"""


def run(tools: Path, *command: str, cwd: Path, **environment: str) -> str:
    folders = {str(path.parent) for path in tools.rglob("*.so*")}
    settings = {**os.environ, "LD_LIBRARY_PATH": ":".join(sorted(folders)), "LC_ALL": "C.UTF-8", "HOME": str(cwd), **environment}
    program = str(tools / "usr/bin" / command[0])
    finished = subprocess.run([program, *command[1:]], cwd=cwd, env=settings, check=True, capture_output=True, text=True, timeout=60)
    return finished.stdout.strip()


def test_what_pacman_installs_is_read_from_its_database(tmp_path: Path) -> None:
    tools = unpack(*PACMAN)
    source, root = tmp_path / "source", tmp_path / "root"
    (source / "usr/share/a b").mkdir(parents=True)
    (source / "usr/share/a b/ü.txt").write_text("hi\n")
    (source / ".PKGINFO").write_text(PKGINFO)
    (root / "var/lib/pacman").mkdir(parents=True)
    (tmp_path / "pacman.conf").write_text("[options]\nArchitecture = x86_64\nSigLevel = Never\n")
    options = "!all,use-set,type,uid,gid,mode,time,size,md5,sha256,link"
    run(tools, "bsdtar", "-czf", ".MTREE", "--format=mtree", f"--options={options}", ".PKGINFO", "usr", cwd=source)
    archive = "../demo-tool-1:2.0.1-3-x86_64.pkg.tar.gz"
    run(tools, "bsdtar", "-czf", archive, ".MTREE", ".PKGINFO", "usr", cwd=source)
    places = [f"--{name}={tmp_path / name}" for name in ("cachedir", "hookdir", "logfile")]
    command = ("--config", "pacman.conf", "--root", str(root), "--dbpath", str(root / "var/lib/pacman"), *places, "--noconfirm", "-U")
    run(tools, "pacman", *command, f"./{archive[3:]}", cwd=tmp_path)

    facts, problems = read_tree(root, pacman.ANALYZER)

    assert problems == {}
    found = [fact for listed in facts.values() for fact in listed]
    assert [fact.purl for fact in found if isinstance(fact, Package)] == ["pkg:alpm/demo-tool@1:2.0.1-3?arch=x86_64"]
    owned = [fact.files for fact in found if isinstance(fact, PackageDetails)]
    digest = "sha256:98ea6e4f216f2fb4b69fff9b3a44842c38686ca685f3f55dc48c5d3fb1107be4"
    assert owned == [(("usr/share/a b/ü.txt", ""),), (("usr/share/a b/ü.txt", digest),)]


def test_what_nix_adds_to_its_store_is_read_from_its_database_and_from_the_store(tmp_path: Path) -> None:
    tools = unpack(*NIX)
    for name in ("hello-2.12.1", "openssl-3.0.13-bin", "source"):
        (tmp_path / name / "bin").mkdir(parents=True)
        (tmp_path / name / "bin/run").write_text("#!/bin/sh\n")
        run(tools, "nix-store", "--store", str(tmp_path / "root"), "--add", str(tmp_path / name), cwd=tmp_path, NIX_CONF_DIR=str(tmp_path))

    from_database, problems = read_tree(tmp_path / "root", nix.ANALYZER)
    from_store, _ = read_tree(tmp_path / "root", nix_store.ANALYZER)

    assert problems == {}
    listed = [sorted(f.purl for facts in read.values() for f in facts if isinstance(f, Package)) for read in (from_database, from_store)]
    assert [purl.partition("?")[0] for purl in listed[0]] == ["pkg:nix/hello@2.12.1", "pkg:nix/openssl@3.0.13"]
    assert listed[0] == listed[1]
