"""The weekly report: one self-contained page, and a digest for Slack.

weeks.py    pure: which seven days
  → facts.py, incidents.py, outcomes.py    what the warehouse says of them
  → charts.py                              pictures, drawn by Vega without a browser or a network
  → page.py (page.html.j2), digest.py      what people read
"""
