"""REST, the web pages, metrics."""
