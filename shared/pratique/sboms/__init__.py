"""Bills of materials, as others and pratique itself write them, read into inventories: CycloneDX JSON, SPDX 2 JSON, SPDX 3 JSON-LD."""
