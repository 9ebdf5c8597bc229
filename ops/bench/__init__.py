"""`cx bench`: measures this system beside what a user would take instead, in one run on one machine.

One file per scenario, each of which starts a stand of its own (`stand.py`) and gives rows of figures (`figures.py`).
"""
