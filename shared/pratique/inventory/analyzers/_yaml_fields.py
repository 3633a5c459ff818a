"""The outermost fields of a YAML mapping, read from its events: no aliases to multiply, no objects to build, every scalar as the text it is.

Text matters: `version: 1.10` is 1.10, which YAML's own rules would make the number 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from pratique.errors import InvalidRecord, LimitExceeded

MAX_EVENTS = 500_000  # a manifest of 10,000 packages has 20,000; each takes time and, kept, memory
MAX_DEPTH = 100  # real ones have 6; the parser keeps a state for each

_KEPT_DEPTH = 2


def read_fields(content: bytes) -> dict[str, list[str]]:
    """Map each key of the outermost mapping to its scalar, or to the scalars of its sequence; what is nested deeper is left out.

    Raises InvalidRecord for what is no YAML mapping, LimitExceeded for MAX_EVENTS and MAX_DEPTH.
    """
    fields: dict[str, list[str]] = {}
    key: str | None = None
    for depth, scalar, is_end in _nodes(content):
        if depth == 1 and key is None and not is_end:
            key = scalar or ""
            continue
        if scalar is not None and key is not None and depth <= _KEPT_DEPTH:
            fields.setdefault(key, []).append(scalar)
        if depth == 1:
            key = None
    return fields


def _nodes(content: bytes) -> Iterator[tuple[int, str | None, bool]]:
    """Yield each scalar, alias (as None) and end of a collection with the depth at which it stands."""
    import yaml

    depth = 0
    try:
        for count, event in enumerate(yaml.parse(content, Loader=yaml.CBaseLoader)):
            _check_bounds(count, depth)
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
                yield depth, None, True
            elif isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                yield depth, event.value if isinstance(event, yaml.ScalarEvent) else None, False
            if (depth == 0 and isinstance(event, yaml.NodeEvent)) or (depth == 1 and isinstance(event, yaml.SequenceStartEvent)):
                raise InvalidRecord("expected a YAML mapping")
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidRecord(f"expected YAML: {str(error).splitlines()[0][:200]}") from error


def _check_bounds(count: int, depth: int) -> None:
    if count > MAX_EVENTS or depth > MAX_DEPTH:
        raise LimitExceeded(f"YAML of more than {MAX_EVENTS} nodes or deeper than {MAX_DEPTH}")
