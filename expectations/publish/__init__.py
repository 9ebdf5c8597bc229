"""From candidates to marts: dbt, the gate, and one transaction that changes only what differs."""
