"""Hypothesis profiles: `HYPOTHESIS_PROFILE=deep` runs 5,000 examples of every property."""

import os

from hypothesis import HealthCheck, settings

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("fast", max_examples=150, deadline=None, suppress_health_check=_QUIET)
settings.register_profile("deep", max_examples=5_000, deadline=None, suppress_health_check=_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
