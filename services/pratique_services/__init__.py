"""The services of pratique, one folder each. They talk in messages, never in imports."""
