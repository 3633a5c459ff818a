"""Turns any vendor's webhook into one push event, recorded before it is answered."""
