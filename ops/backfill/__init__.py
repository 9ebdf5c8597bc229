"""Backfill: have Debezium read rows of the store again, beside live traffic, and see them land."""
