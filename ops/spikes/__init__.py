"""Spikes: a driver whose negative volume or churn share rises beyond what its hour and weekday explain.

series    counts per quarter of an hour                rules   baseline, score, verdict (pure)
reading   marts to series, as a reader of the marts    watch   every quarter of an hour, in the notifier
"""
