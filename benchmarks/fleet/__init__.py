"""A fleet of invented images in a real PostgreSQL, and what it costs to bring it to newer advisories."""
