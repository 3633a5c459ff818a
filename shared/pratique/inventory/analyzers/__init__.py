"""The analyzers: one module for a package manager, language or kind of file, each with its `ANALYZER`.

`REGISTERED` says which run, and `_every` imports them. `ANALYZERS_KEY` stands for what a stored layer result depends on: it changes whenever an analyzer is added,
removed or raised in version, or the pass over the layer records something else for the same bytes (`PASS_VERSION`); results under another key are computed again.
"""

from __future__ import annotations

import hashlib

from pratique.inventory.analyzer import AnalyzerId

PASS_VERSION = 2
"""Raise it whenever the walk over a layer would record something else for the same bytes and the same analyzers."""

REGISTERED: tuple[AnalyzerId, ...] = (
    AnalyzerId(name="apk", version=2),
    AnalyzerId(name="binaries", version=2),
    AnalyzerId(name="bottlerocket", version=1),
    AnalyzerId(name="chisel", version=1),
    AnalyzerId(name="conan", version=1),
    AnalyzerId(name="conda", version=1),
    AnalyzerId(name="cos", version=1),
    AnalyzerId(name="dart", version=1),
    AnalyzerId(name="dotnet", version=1),
    AnalyzerId(name="dotnet-binary", version=1),
    AnalyzerId(name="dpkg", version=2),
    AnalyzerId(name="dpkg-copyright", version=1),
    AnalyzerId(name="dpkg-files", version=1),
    AnalyzerId(name="dpkg-md5sums", version=1, needs_contents=True),
    AnalyzerId(name="elf-package", version=2),
    AnalyzerId(name="embedded-sbom", version=1),
    AnalyzerId(name="erlang", version=1),
    AnalyzerId(name="flatpak", version=1),
    AnalyzerId(name="gguf", version=1),
    AnalyzerId(name="go-binary", version=2),
    AnalyzerId(name="haskell", version=1),
    AnalyzerId(name="homebrew", version=1),
    AnalyzerId(name="hugging-face", version=1),
    AnalyzerId(name="java", version=2),
    AnalyzerId(name="julia", version=1),
    AnalyzerId(name="jvm-release", version=1),
    AnalyzerId(name="kernel", version=1),
    AnalyzerId(name="lua", version=1),
    AnalyzerId(name="native-image", version=2),
    AnalyzerId(name="nix", version=1),
    AnalyzerId(name="nix-store", version=1),
    AnalyzerId(name="node", version=2),
    AnalyzerId(name="ocaml", version=1),
    AnalyzerId(name="opkg", version=1),
    AnalyzerId(name="os-release", version=3),
    AnalyzerId(name="pacman", version=1),
    AnalyzerId(name="perl", version=1),
    AnalyzerId(name="php-composer", version=1),
    AnalyzerId(name="php-pear", version=1),
    AnalyzerId(name="portage", version=1),
    AnalyzerId(name="python", version=2),
    AnalyzerId(name="python-archives", version=1),
    AnalyzerId(name="python-record", version=2),
    AnalyzerId(name="r", version=1),
    AnalyzerId(name="rpm", version=2),
    AnalyzerId(name="rpm-manifest", version=1),
    AnalyzerId(name="ruby", version=1),
    AnalyzerId(name="rust-binary", version=2),
    AnalyzerId(name="safetensors", version=1),
    AnalyzerId(name="snap", version=1),
    AnalyzerId(name="spack", version=1),
    AnalyzerId(name="swift", version=1),
    AnalyzerId(name="vscode", version=1),
    AnalyzerId(name="wordpress", version=1),
    AnalyzerId(name="yarn-cache", version=1),
)
"""Every analyzer there is, with the version of its module's `ANALYZER`. One that is not listed does not run; a test compares the list with the modules."""


def results_key(*, compares_contents: bool, registered: tuple[AnalyzerId, ...] = REGISTERED, pass_version: int = PASS_VERSION) -> str:
    """Stand for what a layer's result depends on, in passes that compare contents or do not."""
    told = [
        f"pass={pass_version}",
        f"contents={compares_contents}",
        *sorted(f"{analyzer.name}={analyzer.version}" for analyzer in registered),
    ]
    return hashlib.sha256(";".join(told).encode()).hexdigest()[:32]


ANALYZERS_KEY = results_key(compares_contents=False)
"""What inventories are stored under: comparing contents adds to what is known of files, and changes no package."""
