"""All analyzers, imported. Only worker processes and tests need them: 60 modules take a tenth of a second."""

from __future__ import annotations

from pratique.inventory.analyzer import Analyzer
from pratique.inventory.analyzers.apk import ANALYZER as APK
from pratique.inventory.analyzers.binaries import ANALYZER as BINARIES
from pratique.inventory.analyzers.bottlerocket import ANALYZER as BOTTLEROCKET
from pratique.inventory.analyzers.chisel import ANALYZER as CHISEL
from pratique.inventory.analyzers.conan import ANALYZER as CONAN
from pratique.inventory.analyzers.conda import ANALYZER as CONDA
from pratique.inventory.analyzers.cos import ANALYZER as COS
from pratique.inventory.analyzers.dart import ANALYZER as DART
from pratique.inventory.analyzers.dotnet import ANALYZER as DOTNET
from pratique.inventory.analyzers.dotnet_binary import ANALYZER as DOTNET_BINARY
from pratique.inventory.analyzers.dpkg import ANALYZER as DPKG
from pratique.inventory.analyzers.dpkg_copyright import ANALYZER as DPKG_COPYRIGHT
from pratique.inventory.analyzers.dpkg_files import ANALYZER as DPKG_FILES
from pratique.inventory.analyzers.dpkg_md5sums import ANALYZER as DPKG_MD5SUMS
from pratique.inventory.analyzers.elf_package import ANALYZER as ELF_PACKAGE
from pratique.inventory.analyzers.embedded_sbom import ANALYZER as EMBEDDED_SBOM
from pratique.inventory.analyzers.erlang import ANALYZER as ERLANG
from pratique.inventory.analyzers.flatpak import ANALYZER as FLATPAK
from pratique.inventory.analyzers.gguf import ANALYZER as GGUF
from pratique.inventory.analyzers.go_binary import ANALYZER as GO_BINARY
from pratique.inventory.analyzers.haskell import ANALYZER as HASKELL
from pratique.inventory.analyzers.homebrew import ANALYZER as HOMEBREW
from pratique.inventory.analyzers.hugging_face import ANALYZER as HUGGING_FACE
from pratique.inventory.analyzers.java import ANALYZER as JAVA
from pratique.inventory.analyzers.julia import ANALYZER as JULIA
from pratique.inventory.analyzers.jvm_release import ANALYZER as JVM_RELEASE
from pratique.inventory.analyzers.kernel import ANALYZER as KERNEL
from pratique.inventory.analyzers.lua import ANALYZER as LUA
from pratique.inventory.analyzers.native_image import ANALYZER as NATIVE_IMAGE
from pratique.inventory.analyzers.nix import ANALYZER as NIX
from pratique.inventory.analyzers.nix_store import ANALYZER as NIX_STORE
from pratique.inventory.analyzers.node import ANALYZER as NODE
from pratique.inventory.analyzers.ocaml import ANALYZER as OCAML
from pratique.inventory.analyzers.opkg import ANALYZER as OPKG
from pratique.inventory.analyzers.os_release import ANALYZER as OS_RELEASE
from pratique.inventory.analyzers.pacman import ANALYZER as PACMAN
from pratique.inventory.analyzers.perl import ANALYZER as PERL
from pratique.inventory.analyzers.php_composer import ANALYZER as PHP_COMPOSER
from pratique.inventory.analyzers.php_pear import ANALYZER as PHP_PEAR
from pratique.inventory.analyzers.portage import ANALYZER as PORTAGE
from pratique.inventory.analyzers.python import ANALYZER as PYTHON
from pratique.inventory.analyzers.python_archives import ANALYZER as PYTHON_ARCHIVES
from pratique.inventory.analyzers.python_record import ANALYZER as PYTHON_RECORD
from pratique.inventory.analyzers.r import ANALYZER as R
from pratique.inventory.analyzers.rpm import ANALYZER as RPM
from pratique.inventory.analyzers.rpm_manifest import ANALYZER as RPM_MANIFEST
from pratique.inventory.analyzers.ruby import ANALYZER as RUBY
from pratique.inventory.analyzers.rust_binary import ANALYZER as RUST_BINARY
from pratique.inventory.analyzers.safetensors import ANALYZER as SAFETENSORS
from pratique.inventory.analyzers.snap import ANALYZER as SNAP
from pratique.inventory.analyzers.spack import ANALYZER as SPACK
from pratique.inventory.analyzers.swift import ANALYZER as SWIFT
from pratique.inventory.analyzers.vscode import ANALYZER as VSCODE
from pratique.inventory.analyzers.wordpress import ANALYZER as WORDPRESS
from pratique.inventory.analyzers.yarn_cache import ANALYZER as YARN_CACHE

ANALYZERS: tuple[Analyzer, ...] = (
    APK,
    BINARIES,
    BOTTLEROCKET,
    CHISEL,
    CONAN,
    CONDA,
    COS,
    DART,
    DOTNET,
    DOTNET_BINARY,
    DPKG,
    DPKG_COPYRIGHT,
    DPKG_FILES,
    DPKG_MD5SUMS,
    ELF_PACKAGE,
    EMBEDDED_SBOM,
    ERLANG,
    FLATPAK,
    GGUF,
    GO_BINARY,
    HASKELL,
    HOMEBREW,
    HUGGING_FACE,
    JAVA,
    JULIA,
    JVM_RELEASE,
    KERNEL,
    LUA,
    NATIVE_IMAGE,
    NIX,
    NIX_STORE,
    NODE,
    OCAML,
    OPKG,
    OS_RELEASE,
    PACMAN,
    PERL,
    PHP_COMPOSER,
    PHP_PEAR,
    PORTAGE,
    PYTHON,
    PYTHON_ARCHIVES,
    PYTHON_RECORD,
    R,
    RPM,
    RPM_MANIFEST,
    RUBY,
    RUST_BINARY,
    SAFETENSORS,
    SNAP,
    SPACK,
    SWIFT,
    VSCODE,
    WORDPRESS,
    YARN_CACHE,
)
"""In the order of `REGISTERED`."""
