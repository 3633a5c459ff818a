"""Keys, signatures and attestations that cosign verifies. No network."""
