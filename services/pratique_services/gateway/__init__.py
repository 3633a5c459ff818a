"""Turns any vendor's webhook into push events, recorded before the sender hears 202."""
