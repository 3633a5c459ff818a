"""Scans: fetches what is not known yet, inspects it, records."""
