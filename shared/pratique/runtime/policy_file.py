"""The policy document that the settings name, read once at start-up."""

from __future__ import annotations

from pratique.errors import InvalidPolicy, SettingsError
from pratique.policy.parse import parse_policy
from pratique.policy.policy import PolicyDocument
from pratique.runtime.settings import Settings


def load_policy(settings: Settings) -> PolicyDocument:
    """Read the policy document.

    Raises SettingsError: without a policy nothing can be cleared, so there is no point in starting.
    """
    if settings.policy is None:
        raise SettingsError("no policy is configured: set `policy` in the settings file (deploy/policy.example.yaml is a start)")
    try:
        return parse_policy(settings.policy.read_bytes())
    except OSError as error:
        raise SettingsError(f"cannot read the policy {settings.policy}: {error.strerror}") from error
    except InvalidPolicy as error:
        raise SettingsError(f"policy {settings.policy}: {error}") from error
