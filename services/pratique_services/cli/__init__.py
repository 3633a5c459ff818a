"""The command line. Exit codes: 0 fine, 1 the policy or threshold is violated, 2 usage, 3 could not finish."""

from pratique_services.cli.main import main

__all__ = ["main"]
