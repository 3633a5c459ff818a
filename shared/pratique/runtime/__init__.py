"""What every process needs: settings, logging, metrics, health, shutdown, worker processes."""
