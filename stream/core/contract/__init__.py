"""The contract: what a row of each captured table must be. The JSON Schema is generated from these types."""
