"""Advisories: reading, ordering versions, matching, and the compiled database."""
