"""Keeps advisories current and finds what got stuck."""
