"""Brings a mirror folder up to date: fetches advisory feeds and tells whether what came is plausible. What the feeds say is read elsewhere, from the mirror alone."""
