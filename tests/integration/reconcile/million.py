"""Measure the reconciliation of a million tickets with ten differences, on a stack of its own.

`python -m tests.integration.reconcile.million [NUMBER]` prints one JSON object: seconds to capture and land, to find, to
find and repair, and what was found. Takes some minutes and 4 GB of disk.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.conftest import wait_until
from tests.integration.reconcile.test_reconcile_on_the_stack import Running
from tests.stack_fixture import running_stack, tmp_directory

TICKETS = """
insert into enrichment.ticket_signals
select gen_random_uuid(), '2026-01-01'::timestamptz + i * interval '1 second',
    (array['zendesk', 'intercom', 'salesforce'])[i %% 3 + 1], 'T-' || i, 'A-' || i %% 5000,
    (array['positive', 'neutral', 'negative'])[i %% 3 + 1], (i %% 200 - 100) / 100.0, 'low', 'high',
    array['billing', 'refund' || i %% 50], 'billing', 'Billing',
    jsonb_build_object('csat', i %% 5, 'handle_time', i %% 997 * 1.5, 'lang', 'en'), 'https://support.example/t/' || i,
    'I was told that the refund would arrive within five days and nothing has come, number ' || i, 'key:' || i || ':1', 1
from generate_series(1, %s) as i
"""
TAMPERING = (
    "update landing.ticket_signals set churn_risk = 'high' where ticket_id in ('T-1', 'T-20', 'T-300')",
    "update landing.ticket_signals set custom_metrics = '{}', raw_tags = '{}' where ticket_id = 'T-4000'",
    "update landing.ticket_signal_versions set effort = 'low' where ticket_id = 'T-5000'",
    "delete from landing.ticket_signals where ticket_id in ('T-6000', 'T-7000')",
    "delete from landing.ticket_signal_versions where ticket_id in ('T-6000', 'T-8000')",
    "update landing.ticket_signals set ticket_id = 'X-9000' where ticket_id = 'T-9000'",
)


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds and the answer."""
    began = time.perf_counter()
    answer = act()
    return round(time.perf_counter() - began, 2), answer


def measure(number: int) -> dict[str, Any]:
    """The whole measurement."""
    with tmp_directory() as directory, running_stack(directory, without=("publisher", "notifier")) as stack:
        running = Running(stack, "T-")
        began = time.perf_counter()
        running.store(TICKETS, [number])
        wait_until(lambda: running.landed() == number, seconds=1800, what="all tickets having landed")
        landing = round(time.perf_counter() - began, 2)
        running.store("analyze enrichment.ticket_signals")
        for statement in TAMPERING:
            running.warehouse(statement)
        found_in, (code, found) = timed(running.reconcile)
        repaired_in, (repaired_code, repaired) = timed(lambda: running.reconcile("--repair"))
        again_in, (last_code, _) = timed(running.reconcile)
    tickets = found["ticket_signals"]
    return {
        "tickets": number, "cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "captured_and_landed_seconds": landing,
        "found_seconds": found_in, "found": {kind: tickets[kind] for kind in ("missing", "extra", "different")},
        "stage_seconds": tickets["stage_seconds"], "found_and_repaired_seconds": repaired_in,
        "repaired": repaired["ticket_signals"]["repaired"], "equal_again_seconds": again_in,
        "exit_codes": [code, repaired_code, last_code],
    }  # fmt: skip


if __name__ == "__main__":
    json.dump(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000), sys.stdout, indent=2)
