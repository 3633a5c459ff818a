"""The whole error tree, arranged by what the catcher does.

    PratiqueError
    ├── InputError              the bytes are wrong: never retry, Coverage says so
    │   ├── InvalidReference
    │   ├── InvalidDigest
    │   ├── InvalidManifest
    │   ├── InvalidLayer
    │   ├── InvalidRecord
    │   ├── InvalidMessage
    │   ├── InvalidVersion
    │   ├── InvalidAdvisory
    │   ├── InvalidPolicy
    │   ├── InvalidKey
    │   ├── InvalidSignature
    │   ├── DigestMismatch
    │   └── LimitExceeded
    ├── UnavailableError        back off and try again
    │   ├── RegistryUnavailable     carries `retry_after` in seconds where the server named it
    │   ├── BrokerUnavailable
    │   ├── DatabaseUnavailable
    │   ├── FeedUnavailable
    │   └── ChatUnavailable
    ├── RefusedError            credentials or permission: park it, tell the operator
    │   └── UnsupportedError        the other side cannot do this at all, or is set up not to
    ├── MissingError            it is not there any more: finish quietly
    └── SettingsError           at start-up only: exit, never degrade

Adapters translate foreign exceptions into these in one place each. A message says what was expected and what came.
"""


class PratiqueError(Exception):
    """Base of every error that pratique raises on purpose."""


class InputError(PratiqueError):
    """The bytes are wrong and will be wrong again: never retried."""


class InvalidReference(InputError):
    """Text that is not an image reference."""


class InvalidDigest(InputError):
    """Text that is not `algorithm:hex` of a supported algorithm."""


class InvalidManifest(InputError):
    """A manifest, index or image config that breaks its specification."""


class InvalidLayer(InputError):
    """A layer blob that cannot be decompressed or walked."""


class InvalidRecord(InputError):
    """A file in an image that a package manager wrote and that cannot be read as such."""


class InvalidMessage(InputError):
    """A webhook or a queue message that cannot be understood."""


class InvalidVersion(InputError):
    """Text that is not a version in the scheme asked for."""


class InvalidAdvisory(InputError):
    """An advisory record or database that breaks its schema."""


class InvalidPolicy(InputError):
    """A policy document that breaks its schema."""


class InvalidKey(InputError):
    """A key file that cannot be read, or a wrong password for it."""


class InvalidSignature(InputError):
    """A signature, envelope or attestation that is not what it should be: malformed, by another key, or about something else."""


class DigestMismatch(InputError):
    """Content whose digest or size is not the one its descriptor promised."""


class LimitExceeded(InputError):
    """Input that is larger, deeper or slower than a stated limit."""


class UnavailableError(PratiqueError):
    """Something outside did not answer: back off and try again.

    `retry_after` is in seconds where the other side named a delay.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RegistryUnavailable(UnavailableError):
    """A registry that does not answer, or answers 429 or 5xx."""


class BrokerUnavailable(UnavailableError):
    """A message broker that does not answer or does not confirm."""


class DatabaseUnavailable(UnavailableError):
    """A database that does not answer."""


class FeedUnavailable(UnavailableError):
    """An advisory feed that does not answer."""


class ChatUnavailable(UnavailableError):
    """A chat or webhook receiver that did not accept a message."""


class RefusedError(PratiqueError):
    """Credentials or permission are missing: an operator has to act."""


class UnsupportedError(RefusedError):
    """The other side does not offer the operation (deleting a tag, deleting at all): find another way or tell the operator."""


class MissingError(PratiqueError):
    """The thing asked for does not exist, or no longer."""


class SettingsError(PratiqueError):
    """Settings are wrong or incomplete: the process exits at start-up."""
