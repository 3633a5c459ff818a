"""Pratique: turns a pushed container image into a judged, signed, promoted or quarantined one."""

__version__ = "0.1.0"
