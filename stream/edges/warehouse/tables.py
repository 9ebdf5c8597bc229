"""The history of versions as this edge writes it. A test compares it with the contract and with the database."""

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, LargeBinary, MetaData, Numeric, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(schema="landing")


def _moment(name: str, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


versions = Table(
    "ticket_signal_versions",
    metadata,
    # the contract's fields, in its order
    Column("event_id", Uuid, nullable=False),
    _moment("occurred_at", nullable=False),
    Column("source_system", Text, nullable=False),
    Column("ticket_id", Text, nullable=False),
    Column("account_id", Text),
    Column("sentiment", Text, nullable=False),
    Column("sentiment_score", Numeric),
    Column("churn_risk", Text, nullable=False),
    Column("effort", Text, nullable=False),
    Column("raw_tags", ARRAY(Text), nullable=False),
    Column("canonical_tag", Text),
    Column("driver", Text),
    Column("custom_metrics", JSONB, nullable=False),
    Column("evidence_url", Text, nullable=False),
    Column("evidence_quote", Text),
    Column("idempotency_key", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    _moment("updated_at"),
    # where the version came from
    Column("content_hash", LargeBinary, nullable=False),
    Column("source_positions", ARRAY(Numeric(39)), nullable=False),
    Column("kafka_partition", BigInteger, nullable=False),
    Column("kafka_offset", BigInteger, nullable=False),
    _moment("store_committed_at"),
    _moment("captured_at"),
)

SIGNAL_COLUMNS = tuple(column.name for column in versions.columns)
