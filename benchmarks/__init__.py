"""Measurements of pratique against the least that the same work can cost: `python -m benchmarks`."""
