"""Watches the connector while Connect is up: restarts a FAILED task a bounded number of times, then raises an alert."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

import psycopg
from aiokafka.errors import KafkaError

from connectors import register, resume
from ops.backfill import request
from ops.stack import background, connector_alert
from ops.stack.decide import ConnectorAction, ConnectorRecord, decide_connector
from ops.stack.layout import Stack
from stream.kafka import KafkaAccess

LOOK_EVERY_SECONDS = 2.0
SLOT_IS_LOST = "select 1 from pg_replication_slots where slot_name = 'cx_enrichment' and wal_status = 'lost'"
LOST_SLOT = register.ConnectorStatus(
    register.RUNNING, (register.FAILED,), "the store gave up the replication slot: it held more log than max_slot_wal_keep_size"
)


@dataclass
class ConnectorWatch:
    """Looks every two seconds, in a thread."""

    stack: Stack
    say: Callable[[str], None]
    record: ConnectorRecord = field(default_factory=ConnectorRecord)
    restarts: int = 0
    looked_at: float = float("-inf")
    last_trace: str = ""
    looking: Future[None] | None = None

    def look(self, now: float) -> None:
        """Begin a look when the last one is over and its pause has passed."""
        if (self.looking and not self.looking.done()) or now - self.looked_at < LOOK_EVERY_SECONDS:
            return
        self.looked_at = now
        self.looking = background.call(lambda: self._look(now))

    def described(self) -> dict[str, object]:
        """What `cx status` shows beside Connect's own answer."""
        return {"restarts": self.restarts, "given_up": self.record.given_up, "last_failure": self.last_trace}

    def _look(self, now: float) -> None:
        status = register.status(self.stack.connect_url)
        if status is None:
            return
        if self._slot_is_lost():
            status = LOST_SLOT
        skipped = self._skipped() if status.has_failed else ""
        record, action = decide_connector(self._remembered(status), status.runs, status.has_failed, now, hopeless=bool(skipped))
        match action:
            case ConnectorAction.RESTART:
                self.restarts, self.last_trace = self.restarts + 1, status.trace
                self.say(f"the connector has failed ({status.trace}); restart number {self.restarts}")
                request.pause_again(self.stack.server.url("store"), self.stack.server.url("warehouse"))
                register.restart_failed(self.stack.connect_url)
            case ConnectorAction.GIVE_UP:
                self.say("the connector keeps failing: it is left as it is, see logs/connect.log")
                why = skipped or status.trace
                self._alert("firing", f"The connector keeps failing and was not restarted again: {why}")
            case ConnectorAction.RECOVERED:
                self.say("the connector runs again")
                self._alert("ok", "The connector runs again.")
        self.record = record  # only now: an alert that could not be written is decided upon again

    def _slot_is_lost(self) -> bool:
        """Whether the store gave the slot up. Debezium 3.7 then says RUNNING and tries again for half an hour."""
        try:
            with psycopg.connect(self.stack.server.url("store"), connect_timeout=5) as connection:
                return connection.execute(SLOT_IS_LOST).fetchone() is not None
        except psycopg.OperationalError:
            return False

    def _remembered(self, status: register.ConnectorStatus) -> ConnectorRecord:
        """The record; of a connector that runs, with what people were told, be it before it started or by another supervisor."""
        if not status.runs:
            return self.record
        return replace(self.record, given_up=connector_alert.is_firing(self.stack.server.url("warehouse")))

    def _skipped(self) -> str:
        """Why a restart would go on behind a gap; empty when it would not, or when that cannot be told now."""
        try:
            resume.refuse_gap(self.stack.server.url("store"), KafkaAccess(self.stack.kafka_bootstrap).client)
        except resume.SkippedChangesError as error:
            return str(error)
        except (psycopg.Error, KafkaError):
            return ""
        return ""

    def _alert(self, state: str, summary: str) -> None:
        warehouse = self.stack.server.url("warehouse")
        if state == "ok" or not connector_alert.is_firing(warehouse):
            connector_alert.write(warehouse, state, summary)
