"""Apache Superset beside the stack, in an environment of its own: it shows the marts and writes nothing anywhere else.

place          where it lives: port, log-ins, paths, the environment its process gets
install        its Python environment, from superset.lock
server         start, stop, is it there
superset_*     run by Superset's own Python, not by ours: its configuration, import and export of the assets, and two clicks
"""
