"""OCI and Docker image values and layer streams. Pure: no network, no database."""
