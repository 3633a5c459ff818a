"""Bounded YAML: the text of a policy document as plain values."""

from __future__ import annotations

import yaml

from pratique.errors import InvalidPolicy, LimitExceeded

MAX_BYTES = 512 * 1024  # protects memory and time: PyYAML reads about 200 kB a second
_MAX_DEPTH = 12  # protects the stack; a policy document is 7 deep
_MAX_NODES = 50_000  # protects memory: a list of one-letter items has a node for every second byte
_MAX_SCALAR = 4096  # protects against numbers whose conversion takes quadratic time


class _BoundedLoader(yaml.SafeLoader):
    """Safe loading that also refuses what could surprise: aliases (a few kilobytes of them unfold into gigabytes), a key given twice (the reviewer
    reads the first, the machine the last), merge keys, and documents too deep or too large.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # so in the stubs
        where = f"line {event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent):
            raise InvalidPolicy(f"expected no alias, got *{event.anchor} in {where}: write it out, or use the document's waivers")
        if getattr(event, "tag", None) is not None:  # a tag forces a conversion, and PyYAML's own fail in their own ways
            raise InvalidPolicy(f"expected no tag, got {event.tag[:80]!r} in {where}")
        self._depth += 1
        self._nodes += 1
        if self._depth > _MAX_DEPTH or self._nodes > _MAX_NODES:
            raise LimitExceeded(f"policy document deeper than {_MAX_DEPTH} or of more than {_MAX_NODES} values, in {where}")
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > _MAX_SCALAR:
            raise LimitExceeded(f"text of {len(event.value)} characters in {where}; the limit is {_MAX_SCALAR}")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(node, yaml.MappingNode):
            _require_distinct_keys(node)
        return node


def load_values(content: bytes) -> object:
    """Read one YAML document into dicts, lists, texts, numbers, booleans and dates.

    Raises InvalidPolicy, LimitExceeded.
    """
    if len(content) > MAX_BYTES:
        raise LimitExceeded(f"policy document of {len(content)} bytes; the limit is {MAX_BYTES}")
    try:
        loader = _BoundedLoader(content.decode())
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidPolicy(f"not a YAML document: {error}") from error


def _require_distinct_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        where = f"line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise InvalidPolicy(f"expected a word as a key, got a collection in {where}")
        if key.value == "<<":
            raise InvalidPolicy(f"expected no merge key, got << in {where}")
        if key.value in seen:
            raise InvalidPolicy(f"expected every key once, got {key.value[:80]!r} again in {where}")
        seen.add(key.value)
