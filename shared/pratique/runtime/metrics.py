"""Prometheus metrics, one registry a process. Names follow Prometheus' own rules: base units, `_total` for counters."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)

WEBHOOKS = Counter("pratique_webhooks_total", "Webhook events by outcome", ["source", "outcome"], registry=REGISTRY)
WEBHOOK_LAG = Histogram(
    "pratique_webhook_lag_seconds", "From the push, as the sender dates it, to intake", ["source"], buckets=_SECONDS, registry=REGISTRY
)
SCANS = Counter("pratique_scans_total", "Scans by outcome", ["outcome"], registry=REGISTRY)
SCAN_SECONDS = Histogram("pratique_scan_duration_seconds", "One scan, from lease to record", buckets=_SECONDS, registry=REGISTRY)
LAYERS = Counter("pratique_layers_total", "Layers by how they were read", ["outcome"], registry=REGISTRY)
LAYER_BYTES = Counter("pratique_layer_bytes_total", "Bytes of layers fetched", registry=REGISTRY)
DECISIONS = Counter("pratique_decisions_total", "Decisions by verdict", ["verdict"], registry=REGISTRY)
ACTIONS = Counter("pratique_actions_total", "Actions on registries by kind and outcome", ["kind", "outcome"], registry=REGISTRY)
NOTIFICATIONS = Counter("pratique_notifications_total", "Chat deliveries by outcome", ["channel", "outcome"], registry=REGISTRY)
MESSAGES = Counter("pratique_messages_total", "Messages consumed by outcome", ["queue", "outcome"], registry=REGISTRY)
PUSH_TO_DECISION = Histogram(
    "pratique_push_to_decision_seconds", "From intake of a push to its decision", buckets=_SECONDS, registry=REGISTRY
)
QUEUE_DEPTH = Gauge("pratique_queue_depth", "Messages waiting", ["queue"], registry=REGISTRY)
OUTBOX_DEPTH = Gauge("pratique_outbox_depth", "Messages committed and not yet published", registry=REGISTRY)
OLDEST_QUEUED = Gauge("pratique_oldest_queued_scan_seconds", "Age of the oldest scan that waits", registry=REGISTRY)
RECONCILED = Counter("pratique_reconciled_total", "Stuck work found and put back", ["kind"], registry=REGISTRY)
FEED_SYNCS = Counter(
    "pratique_feed_syncs_total", "Syncs of all feeds by outcome: ok, partial, failed, busy", ["outcome"], registry=REGISTRY
)
FEED_FAILURES = Counter("pratique_feed_failures_total", "Syncs in which a feed failed", ["feed"], registry=REGISTRY)
FEEDS_FAILING = Gauge("pratique_feeds_failing", "What fails now: feeds, the mirror, the compiled database", registry=REGISTRY)
LAST_SYNC = Gauge("pratique_feed_sync_timestamp_seconds", "When the last sync without any failure ended", registry=REGISTRY)
COMPILATIONS = Counter(
    "pratique_advisory_compilations_total", "Compilations of the advisory database by outcome", ["outcome"], registry=REGISTRY
)


def render_metrics() -> bytes:
    """Render all metrics in the text exposition format."""
    return generate_latest(REGISTRY)
