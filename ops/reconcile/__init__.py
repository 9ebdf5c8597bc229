"""Reconciliation: does the warehouse hold what the store holds, by value? And how to mend what differs."""
