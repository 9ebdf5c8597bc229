"""What an import fills: the columns of enrichment.ticket_signals and what the contract allows in them."""

TICKET_COLUMNS = (
    "event_id", "occurred_at", "source_system", "ticket_id", "account_id", "sentiment", "sentiment_score", "churn_risk",
    "effort", "raw_tags", "canonical_tag", "driver", "custom_metrics", "evidence_url", "evidence_quote", "idempotency_key",
    "version",
)  # fmt: skip

# A row without one of these breaks the contract: it is rejected here unless the mapping says `validate: false`.
REQUIRED = frozenset({"occurred_at", "sentiment", "churn_risk", "effort", "evidence_url"})

ALLOWED = {
    "sentiment": ("positive", "neutral", "negative"),
    "churn_risk": ("none", "low", "medium", "high"),
    "effort": ("low", "medium", "high"),
}

# Not part of what a version says: they follow from the identity and the version.
DERIVED = ("event_id", "idempotency_key", "version")

ACCOUNT_COLUMNS = ("account_id", "name", "plan", "segment", "owner")
TAXONOMY_COLUMNS = ("raw_tag", "canonical_tag", "driver", "owner")
