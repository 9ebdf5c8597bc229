"""Traffic into the enrichment store as an enrichment product writes it, misbehaviour included."""
