"""VEX: what suppliers and teams say of vulnerabilities in their products, read, matched with findings, and applied. Pure."""
