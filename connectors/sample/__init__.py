"""A made-up company's support signals: what the demo imports and what the simulation writes."""
