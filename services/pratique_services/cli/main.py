"""The parser and the way from exceptions to exit codes. Commands are imported when they are asked for: `--version` must not wait for a database driver."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pratique import __version__
from pratique.errors import InvalidReference, PratiqueError, SettingsError

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse exports no name for it

EXIT_OK = 0
EXIT_VIOLATED = 1
EXIT_USAGE = 2
EXIT_UNFINISHED = 3

SCAN_FORMATS = ("table", "json", "cyclonedx", "spdx", "spdx3", "openvex")
SBOM_FORMATS = ("cyclonedx", "spdx", "spdx3", "json")
SEVERITIES = ("critical", "high", "medium", "low", "negligible")
SERVICES = ("gateway", "scanner", "enforcer", "notifier", "advisor", "api")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answer its exit code."""
    options = build_parser().parse_args(arguments)
    module, function = options.command.split(":")
    try:
        command: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"pratique_services.cli.{module}"), function)
        return command(options)
    except (SettingsError, InvalidReference) as error:
        return _fail(error, EXIT_USAGE)
    except PratiqueError as error:
        return _fail(error, EXIT_UNFINISHED)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_UNFINISHED)
    except BrokenPipeError:  # the reader of our output left, as `| head` does; it has not seen the end, so this is no pass
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains about what is still to be written
        return EXIT_UNFINISHED
    except Exception:  # noqa: BLE001 - a bug must not look like a violated policy: Python itself would exit with 1
        import traceback  # for bugs alone

        traceback.print_exc()
        return _fail("this is a bug in pratique, please report it", EXIT_UNFINISHED)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="pratique", description="Turns a pushed container image into a judged, signed, promoted or quarantined one."
    )
    parser.add_argument("--version", action="version", version=f"pratique {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_scan(commands)
    _add_advisories(commands)
    _add_serving(commands)
    _add_queries(commands)
    _add_operations(commands)
    return parser


def _add_scan(commands: _Commands) -> None:
    scan = commands.add_parser("scan", help="judge an image without any server", formatter_class=argparse.RawDescriptionHelpFormatter)
    _add_target(scan)
    scan.add_argument(
        "--format", choices=SCAN_FORMATS, default="table", help="default: table; spdx is 2.3 and spdx3 is 3.0.1, both without findings"
    )
    threshold = scan.add_mutually_exclusive_group()
    threshold.add_argument(
        "--fail-on", choices=SEVERITIES, metavar="SEVERITY", help=f"exit 1 from this severity on: {', '.join(SEVERITIES)}"
    )
    threshold.add_argument("--policy", type=Path, metavar="FILE", help="judge by a policy document")
    scan.add_argument("--fixable-only", action="store_true", help="with --fail-on: count only findings that an update ends")
    scan.add_argument("--advisories", type=Path, metavar="FILE", help="compiled database (default: PRATIQUE_ADVISORIES)")
    scan.add_argument(
        "--files",
        action="store_const",
        const="all",
        default="summary",
        help="list every file with what it is, and compare contents with what package managers recorded (slower)",
    )
    _add_vex(scan)
    scan.set_defaults(command="scan:scan")
    sbom = commands.add_parser("sbom", help="list what is installed in an image, or turn an SBOM into another format")
    _add_target(sbom)
    sbom.add_argument("--format", choices=SBOM_FORMATS, default="cyclonedx", help="default: cyclonedx (1.6); spdx is 2.3, spdx3 is 3.0.1")
    sbom.set_defaults(command="scan:sbom", files="none", show_suppressed=False)


def _add_vex(scan: argparse.ArgumentParser) -> None:
    scan.add_argument(
        "--vex",
        action="append",
        default=[],
        metavar="FILE|DIR|oci",
        help="apply VEX (OpenVEX, CycloneDX, CSAF): a document, all below a folder, or `oci`: what is attached to the image, signed by a --vex-key; "
        "may be repeated, and what is given first counts",
    )
    scan.add_argument(
        "--vex-key", action="append", type=Path, default=[], metavar="FILE", help="public key (cosign.pub) for `--vex oci`; may be repeated"
    )
    scan.add_argument("--show-suppressed", action="store_true", help="list the findings that VEX suppresses, in the table")


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target",
        metavar="TARGET",
        help="host/repo:tag, host/repo@sha256:..., oci:DIR[:TAG], docker-archive:FILE, dir:ROOTFS or sbom:FILE (CycloneDX or SPDX, JSON)",
    )
    parser.add_argument(
        "--platform", default="all", metavar="OS/ARCH[/VARIANT]", help="one platform of an index, such as linux/arm/v7, or `all` (default)"
    )
    parser.add_argument("--plain-http", action="store_true", help="speak http to the registry of TARGET")
    parser.add_argument(
        "--decryption-key",
        action="append",
        type=Path,
        default=[],
        metavar="FILE",
        help="private key for encrypted layers; may be repeated (its password: PRATIQUE_KEY_PASSWORD)",
    )
    parser.add_argument(
        "--foreign-layers",
        action="append",
        default=[],
        metavar="HOST",
        help="fetch layers that lie outside the registry from this host; may be repeated (*.HOST: everything below it)",
    )
    parser.add_argument(
        "--sbom-sources",
        choices=("oci",),
        help="add what SBOMs say that are attached to the image: referrers, cosign's tags, BuildKit's attestations",
    )
    parser.add_argument("--no-cache", action="store_true", help="read everything anew, and keep no results")
    parser.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="where results are kept (default: PRATIQUE_CACHE_DIR, ~/.cache/pratique)"
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="write there instead of standard output")


def _add_advisories(commands: _Commands) -> None:
    group = commands.add_parser("advisories", help="the compiled advisory database").add_subparsers(required=True, metavar="ACTION")
    _add_update(group)
    build = group.add_parser("build", help="compile a mirror folder: OSV's zips, vendors' feeds, KEV, EPSS")
    build.add_argument("mirror", type=Path, metavar="DIR", help="folder as `advisories update` keeps it: ECOSYSTEM/all.zip and more")
    build.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    build.add_argument("--ecosystem", action="append", metavar="NAME", help="only this one; may be repeated")
    build.set_defaults(command="advisories:build")
    status = group.add_parser("status", help="which feeds are in it, how many advisories, how old")
    status.add_argument("file", type=Path, nargs="?", metavar="FILE", help="compiled database (default: PRATIQUE_ADVISORIES)")
    status.add_argument(
        "--mirror", type=Path, metavar="DIR", help="tell of the feeds in this mirror folder instead: age, records, last error"
    )
    status.add_argument("--format", choices=("table", "json"), default="table")
    status.set_defaults(command="advisories:status")
    push = group.add_parser("push", help="store the database in a registry, signed, for sites that reach nothing else")
    pull = group.add_parser("pull", help="fetch a database that was pushed; FILE is replaced only by a valid one")
    for parser in (push, pull):
        parser.add_argument("reference", metavar="REF", help="host/repo:tag")
        parser.add_argument("--plain-http", action="store_true", help="speak http to the registry")
    push.add_argument("file", type=Path, nargs="?", metavar="FILE", help="compiled database (default: PRATIQUE_ADVISORIES)")
    push.add_argument(
        "--key", type=Path, metavar="FILE", help="private key (cosign.key) to sign it with (its password: PRATIQUE_KEY_PASSWORD)"
    )
    push.set_defaults(command="advisory_artifacts:push")
    pull.add_argument("file", type=Path, metavar="FILE", help="where it is put")
    pull.add_argument(
        "--verify-key", action="append", type=Path, default=[], metavar="FILE",
        help="public key (cosign.pub): refuse what it did not sign; may be repeated, and one of them has to have signed",
    )  # fmt: skip
    pull.set_defaults(command="advisory_artifacts:pull")


def _add_update(group: _Commands) -> None:
    update = group.add_parser(
        "update", help="bring a mirror folder of advisory feeds up to date; exits 3 if a feed failed and was left as it was"
    )
    update.add_argument(
        "mirror", type=Path, nargs="?", metavar="MIRROR", help="folder of the feeds' files (default: feeds.mirror of the settings)"
    )
    update.add_argument("-o", "--output", type=Path, metavar="FILE", help="then compile the database, if anything changed")
    update.add_argument("--osv", metavar="URL_OR_DIR", help="OSV's bucket, or a copy of it (default: the public one)")
    update.add_argument("--ecosystem", action="append", metavar="NAME", help="only this one of OSV's, such as Debian; may be repeated")
    update.add_argument("--feed", action="append", metavar="NAME", help="only this feed, such as osv or kev; may be repeated")
    update.add_argument(
        "--accept-shrink",
        action="append",
        metavar="NAME",
        help="take a feed that lost many records, such as kev or osv/npm; may be repeated",
    )
    update.set_defaults(command="feeds:update")


def _add_serving(commands: _Commands) -> None:
    up = commands.add_parser("up", help="run all services in one process (settings: PRATIQUE_CONFIG)")
    up.set_defaults(command="services:up")
    serve = commands.add_parser("serve", help="run one service")
    serve.add_argument("service", choices=SERVICES)
    serve.set_defaults(command="services:serve_one")
    migrate = commands.add_parser("migrate", help="create or update the database's tables")
    migrate.set_defaults(command="services:migrate_database")
    demo = commands.add_parser("demo", help="the main job on the embedded default, shown step by step")
    demo.add_argument("--once", action="store_true", help="end after the last step instead of leaving the web page up")
    demo.add_argument("--keep", action="store_true", help="leave the demo's directory behind: database, log, registry, keys")
    demo.add_argument("--port", type=int, default=8080, help="of the web page (default: 8080; 0 picks a free one)")
    demo.set_defaults(command="services:demo")


def _add_queries(commands: _Commands) -> None:
    status = commands.add_parser("status", help="may this image ship? exits 0 (pass), 1 (fail) or 3 (incomplete, or no answer)")
    _add_reference(status)
    status.add_argument("--wait", action="store_true", help="until there is a decision")
    status.add_argument("--timeout", type=float, default=600, metavar="S", help="give up waiting after so many seconds (default: 600)")
    status.add_argument("--format", choices=("text", "json"), default="text")
    status.set_defaults(command="status:status")
    where = commands.add_parser("where", help="which images is a vulnerability in? exits 1 if there are any")
    where.add_argument("vulnerability", metavar="ID", help="a CVE, or an advisory by any of its names")
    _add_server(where)
    where.add_argument("--format", choices=("text", "json"), default="text")
    where.set_defaults(command="where:where")
    release = commands.add_parser("release", help="put a quarantined image back where it was")
    _add_reference(release)
    release.set_defaults(command="status:release")


def _add_reference(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("reference", metavar="REF", help="host/repo:tag or host/repo@sha256:...")
    _add_server(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server", metavar="URL", help="of the API (default: PRATIQUE_SERVER, else http://127.0.0.1:8080); PRATIQUE_TOKEN is sent along"
    )


def _add_operations(commands: _Commands) -> None:
    queue = commands.add_parser("queue", help="messages that were given up").add_subparsers(required=True, metavar="ACTION")
    listing = queue.add_parser("list", help="depth of every queue, and its dead letters with their reasons")
    listing.add_argument("--format", choices=("table", "json"), default="table")
    listing.set_defaults(command="queue:list_queues")
    replay = queue.add_parser("replay", help="put dead letters back to work")
    replay.add_argument("queue", metavar="QUEUE", help="as `queue list` names it")
    replay.add_argument("--message", metavar="ID", help="only this one")
    replay.set_defaults(command="queue:replay")
    keys = commands.add_parser("keys", help="signing keys").add_subparsers(required=True, metavar="ACTION")
    generate = keys.add_parser(
        "generate", help="make the two key pairs, in cosign's format; the password is read from PRATIQUE_KEY_PASSWORD, or asked for"
    )
    generate.add_argument("--directory", type=Path, default=Path(), metavar="DIR", help="default: the current one")
    generate.set_defaults(command="keys:generate")
    tokens = commands.add_parser("tokens", help="API tokens").add_subparsers(required=True, metavar="ACTION")
    create = tokens.add_parser("create", help="make a token; it is shown once")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--scope", action="append", choices=("read", "scan", "release", "admin"), required=True, help="may be repeated")
    create.add_argument("--days", type=int, default=90, help="it expires after so many days (default: 90)")
    create.set_defaults(command="tokens:create")
    revoke = tokens.add_parser("revoke", help="end a token")
    revoke.add_argument("id", metavar="ID")
    revoke.set_defaults(command="tokens:revoke")
    shown = tokens.add_parser("list", help="all tokens, without their secrets")
    shown.set_defaults(command="tokens:list_all")


def _fail(error: object, code: int) -> int:
    print(f"pratique: {error}", file=sys.stderr)
    return code
