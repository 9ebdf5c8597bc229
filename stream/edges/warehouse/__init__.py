"""The warehouse edge: one transaction per batch into schema landing, nothing else knows its SQL."""
