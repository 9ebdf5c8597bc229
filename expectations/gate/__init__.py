"""The gate: suites of expectations over the window and over the candidates, and one verdict."""
