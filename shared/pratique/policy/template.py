"""Templates of repository and tag names: `{tag}-cleared`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pratique.errors import InvalidPolicy, InvalidReference
from pratique.oci.digest import Digest
from pratique.oci.reference import Reference
from pratique.policy.subject import Subject

_MAX_LENGTH = 255  # of a repository's name, in the distribution's own limit
_SHORT_DIGEST = 12
_FIELD = re.compile(r"\{([^{}]*)\}")
_FIELDS = {"registry": "[^/]+", "repository": ".+", "tag": ".+", "digest_short": f"[0-9a-f]{{{_SHORT_DIGEST}}}"}
_MAX_FIELDS = 4  # protects the pattern made of it: each field can backtrack
_SAMPLE = Subject(host="registry.example:5000", repository="team/app", tags=("v1",), digest=Digest.of(b""))


@dataclass(frozen=True, slots=True)
class Template:
    """Text with the fields `{registry}` (host without its port), `{repository}`, `{tag}` and `{digest_short}` (12 hex digits).

    Raises InvalidPolicy for any other field or a stray brace.
    """

    text: str

    def __post_init__(self) -> None:
        if not self.text or len(self.text) > _MAX_LENGTH:
            raise InvalidPolicy(f"expected a template of 1 to {_MAX_LENGTH} characters, got {len(self.text)}")
        unknown = self.fields - _FIELDS.keys()
        if unknown or set(_FIELD.sub("", self.text)) & {"{", "}"}:
            fields = ", ".join(f"{{{name}}}" for name in _FIELDS)
            raise InvalidPolicy(f"expected a template with the fields {fields} only, got {self.text!r}")
        if len(_FIELD.findall(self.text)) > _MAX_FIELDS:
            raise InvalidPolicy(f"expected at most {_MAX_FIELDS} fields in a template, got {self.text!r}")

    @property
    def fields(self) -> frozenset[str]:
        """The fields it uses."""
        return frozenset(_FIELD.findall(self.text))

    @property
    def needs_tag(self) -> bool:
        """Tell whether it makes no sense for an image without a tag."""
        return "tag" in self.fields

    @property
    def has_fixed_folder(self) -> bool:
        """Tell whether its first part, up to a slash, is the same for every image: what it makes is then known by its name."""
        return "{" not in self.text.partition("/")[0]

    def render(self, subject: Subject, tag: str | None) -> str:
        """Fill in the fields. The result may break a registry's grammar: Reference checks that.

        Raises ValueError when a tag is needed and None is given.
        """
        if self.needs_tag and tag is None:
            raise ValueError(f"the template {self.text!r} needs a tag")
        values = {
            "registry": subject.host.partition(":")[0],
            "repository": subject.repository,
            "tag": tag or "",
            "digest_short": subject.digest.hex[:_SHORT_DIGEST],
        }
        return _FIELD.sub(lambda field: values[field[1]], self.text)

    def could_make(self, name: str) -> bool:
        """Tell whether `name` looks like this template's own work: pratique does not promote what it promoted."""
        parts = _FIELD.split(self.text)  # text and field names in turn
        pattern = "".join(_FIELDS[part] if index % 2 else re.escape(part) for index, part in enumerate(parts))
        return re.fullmatch(pattern, name) is not None


def require_fixed_folder(repository: Template, name: str) -> None:
    """Check that repositories made by the template `name` cannot be taken for those that images are pushed to.

    Without a fixed folder nearly every repository looks like the template's own work, which nothing is done to. Raises InvalidPolicy.
    """
    if not repository.has_fixed_folder:
        raise InvalidPolicy(
            f"expected {name} to begin with a folder of its own without fields, as in cleared/{{repository}}: got {repository.text!r}"
        )


def require_valid_names(repository: Template, tag: Template) -> None:
    """Check that the two make a valid reference of ordinary names.

    Raises InvalidPolicy.
    """
    try:
        Reference(host=_SAMPLE.host, repository=repository.render(_SAMPLE, "v1"), tag=tag.render(_SAMPLE, "v1"))
    except InvalidReference as error:
        raise InvalidPolicy(f"{repository.text}:{tag.text} does not make a valid name: {error}") from error
