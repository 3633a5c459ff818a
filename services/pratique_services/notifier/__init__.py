"""Tells chat what is new, once."""
