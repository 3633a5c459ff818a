"""Analyzers, one file a package manager; `ANALYZERS` lists them."""
