"""Decides by policy and performs the actions until the registry shows them."""
