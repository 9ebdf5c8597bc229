"""A CSV or JSONL export becomes rows of the enrichment store: mapping, survey, conversion, upsert."""
