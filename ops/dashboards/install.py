"""Superset's own Python environment: it needs an older SQLAlchemy than ours, so nothing of it goes into .venv."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ops.dashboards.place import ENVIRONMENT, PROGRAMS

LOCK = PROGRAMS / "superset.lock"
PYTHONS = ">=3.10,<3.13"  # what Superset 6.1 and its pinned numpy run on


class DashboardsError(Exception):
    """The dashboards cannot be installed, started or stopped; the message says what to do."""


def python() -> Path:
    """The interpreter that runs Superset."""
    return ENVIRONMENT / "bin" / "python"


def install(say: Callable[[str], None]) -> None:
    """Make the environment from the hashed lock, unless it was made from this very lock."""
    stamp = ENVIRONMENT / ".stamp"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and python().exists():
        return
    say(f"installing Superset into {ENVIRONMENT}, from {LOCK.name} with hashes (about 700 MB, once)")
    _uv("venv", "--clear", "--python", PYTHONS, str(ENVIRONMENT))
    _uv("pip", "install", "--python", str(python()), "--link-mode", "copy", "--require-hashes", "-r", str(LOCK))
    stamp.write_text(wanted)


def _uv(*words: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    done = subprocess.run([str(uv), *words, "--quiet"], check=False, env=_index(), capture_output=True, text=True)
    if done.returncode:
        raise DashboardsError(
            f"uv {words[0]} failed: {done.stderr.strip()[:800]}\nSuperset needs Python {PYTHONS} and the package index."
        )


def _index() -> dict[str, str]:
    """The package index and certificates as pip is configured; uv reads other variables."""
    pip = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    configured = subprocess.run(pip, check=False, capture_output=True, text=True).stdout.strip()
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or configured
    given = {"UV_DEFAULT_INDEX": index} if index else {}
    return {**os.environ, "UV_SYSTEM_CERTS": "1", **given}
