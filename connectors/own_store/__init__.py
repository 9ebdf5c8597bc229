"""Capturing a PostgreSQL store that somebody else designed: the connector's configuration and the store's SQL, as text."""
