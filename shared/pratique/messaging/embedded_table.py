"""The table behind the embedded queue, one statement an operation: each is atomic and durable by itself.

A message is in one of three states. *Waiting*: `claim` is NULL, it may be taken from `due_at` on. *Claimed*: `claim` names the consumer that works on it, until
the lease ends at `due_at`; then it may be taken again. *Dead*: `died_at` is set. Times are seconds since 1970: several processes share them.
"""

from __future__ import annotations

SETUP = (
    "PRAGMA busy_timeout = 10000",  # the ledger in the same file writes too; waiting longer would let leases run out
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # `publish` promises that the message survives a power cut
    """
    CREATE TABLE IF NOT EXISTS embedded_queue (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        message_id TEXT NOT NULL,
        correlation_id TEXT NOT NULL,
        body BLOB NOT NULL,
        attempt INTEGER NOT NULL DEFAULT 1,
        deliveries INTEGER NOT NULL DEFAULT 0,
        first_reason TEXT,
        claim TEXT,
        due_at REAL NOT NULL,
        reason TEXT,
        died_at REAL
    )
    """,
    "CREATE INDEX IF NOT EXISTS embedded_queue_due ON embedded_queue (queue, due_at) WHERE died_at IS NULL",
    "CREATE INDEX IF NOT EXISTS embedded_queue_dead ON embedded_queue (queue, died_at) WHERE died_at IS NOT NULL",
)

INSERT = "INSERT INTO embedded_queue (queue, message_id, correlation_id, body, due_at) VALUES (:queue, :message_id, :correlation_id, :body, :now)"

# Looking first keeps an idle consumer from taking the file's only write lock twice a second.
FIND_DUE = "SELECT id FROM embedded_queue WHERE queue = :queue AND died_at IS NULL AND due_at <= :now ORDER BY due_at, id LIMIT 1"

CLAIM = """
    UPDATE embedded_queue SET claim = :claim, due_at = :until, deliveries = deliveries + 1
    WHERE id = :id AND died_at IS NULL AND due_at <= :now
    RETURNING id, message_id, correlation_id, body, attempt, deliveries, first_reason
"""

RENEW = "UPDATE embedded_queue SET due_at = :until WHERE claim = :claim"

RELEASE = "UPDATE embedded_queue SET claim = NULL, due_at = :now WHERE claim = :claim"

ACKNOWLEDGE = "DELETE FROM embedded_queue WHERE id = :id AND claim = :claim"

RETRY = """
    UPDATE embedded_queue SET claim = NULL, due_at = :due_at, attempt = attempt + 1, deliveries = 0, first_reason = coalesce(first_reason, :reason)
    WHERE id = :id AND claim = :claim
"""

BURY = "UPDATE embedded_queue SET claim = NULL, reason = :reason, died_at = :now WHERE id = :id AND claim = :claim"

COUNT_WAITING = "SELECT count(*) FROM embedded_queue WHERE queue = :queue AND died_at IS NULL AND (claim IS NULL OR due_at <= :now)"

LIST_DEAD = """
    SELECT message_id, correlation_id, body, reason, attempt, died_at FROM embedded_queue
    WHERE queue = :queue AND died_at IS NOT NULL ORDER BY died_at, id LIMIT :limit
"""

REPLAY_DEAD = """
    UPDATE embedded_queue SET died_at = NULL, reason = NULL, first_reason = NULL, attempt = 1, deliveries = 0, due_at = :now
    WHERE id IN (
        SELECT id FROM embedded_queue
        WHERE queue = :queue AND died_at IS NOT NULL AND (:message_id IS NULL OR message_id = :message_id)
        ORDER BY died_at, id LIMIT CASE WHEN :message_id IS NULL THEN -1 ELSE 1 END
    )
    RETURNING id
"""
