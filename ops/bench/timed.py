"""How long a `cx` command takes, as a user waits for it."""

import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from ops.stack.layout import StackError

PROGRAM = Path(sys.executable).with_name("cx")


def cx(environment: Mapping[str, str], *words: str, good: Collection[int] = (0,)) -> float:
    """Seconds of one command. Raises StackError with the first line it complained with when it ends otherwise than well."""
    began = time.perf_counter()
    done = subprocess.run([PROGRAM, *words], env=dict(environment), capture_output=True, text=True, check=False, timeout=900)
    seconds = time.perf_counter() - began
    if done.returncode not in good:
        [said, *_] = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise StackError(f"`cx {' '.join(words)}` ended with {done.returncode}: {said[:300]}")
    return seconds
