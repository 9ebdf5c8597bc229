"""Start: how long a person waits for `cx up`, `cx status` and `cx publish` with nothing to do."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from ops.bench.figures import Figure, Say, figures
from ops.bench.sizes import Sizes
from ops.bench.timed import cx

NAME = "start"
LOOKS = 3


def run(sizes: Sizes, say: Say) -> Iterator[Figure]:
    """The first start makes the databases; the later ones find them."""
    later, status, publish = list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="cx-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CX_")}
        environment = {**kept, "CX_RUN_DIRECTORY": directory}
        try:
            first = cx(environment, "up", "--detach")
            say(f"first `cx up`: {first:.1f} s")
            status += [cx(environment, "status", good=(0, 1)) for _ in range(LOOKS)]
            cx(environment, "down")
            for _ in range(sizes.starts):
                later.append(cx(environment, "up", "--detach"))
                cx(environment, "down")
            yield from figures(NAME, "cx up", {"s": median(later), "first time s": first})
            yield from figures(NAME, "cx status", {"s": median(status)})
            say(f"later: {median(later):.1f} s; `cx status`: {median(status):.2f} s")
            cx(environment, "up", "--detach", "--without", "publisher")
            cx(environment, "publish")
            publish += [cx(environment, "publish") for _ in range(sizes.starts)]
        finally:
            cx(environment, "down")
    yield from figures(NAME, "cx publish, nothing new", {"s": median(publish)})
