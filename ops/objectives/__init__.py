"""Promises to the readers of the marts, and whether they are kept.

objectives.yml     what is promised: target, goal, window, owner, remedy
  → file.py        reads it, names every mistake
  → measure.py     the edge: asks warehouse, store and Kafka for one value per objective
  → samples.py     the SQL of the samples: written on a grid, summed over windows
  → rules.py       pure: bad or good, error budget, burn rates, what to tell
  → lag_alert.py   an alert of its own while the stream is too far behind
  → sampler.py     does all of it every few seconds, inside the notifier
"""
