"""An alert is a letter: noticed once, told once, reminded of quietly, and closed with the time it lasted.

ops.alert_outbox     rows written in the transaction that noticed the thing
  → incidents.py     pure: rows fold into incidents, at most one open per cause
  → letters.py       pure: who is to be told what, and when; otherwise the reason for silence
  → render.py        pure: a letter as Slack blocks (markup.py keeps foreign text harmless)
  → slack.py         the edge that posts; retry.py decides what an answer means
ledger.py and queue.py are the SQL around the rules; notifier.py runs them; page.py takes "not a problem".
"""
