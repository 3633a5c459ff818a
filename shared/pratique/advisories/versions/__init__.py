"""Version ordering, one file a scheme."""
