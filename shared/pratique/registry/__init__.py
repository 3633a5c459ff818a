"""Registries and other places that hold images, behind one interface."""
