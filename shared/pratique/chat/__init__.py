"""Chat and webhook receivers."""
