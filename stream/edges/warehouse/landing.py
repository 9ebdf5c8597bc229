"""One batch, one transaction: everything a batch changes in the warehouse becomes visible together, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event

from stream.core.accounting import Partition, count
from stream.core.alerts import Alert, drift_alerts, letter_alerts
from stream.core.batch import Batch
from stream.core.decode import decode
from stream.core.drift import DriftPolicy
from stream.core.letters import Letter, conflict_letter, displaced_letter, gather, rejection_letter
from stream.core.lives import Candidate
from stream.core.lookups import fold_lookups, lookup_key
from stream.core.outcomes import Outcome
from stream.core.records import Change, RawRecord
from stream.core.tangles import Untangling, untangle
from stream.core.tickets import fold_tickets, signal_of, tangled_tickets, ticket_of
from stream.edges.warehouse import accounting, alerts, history, letters, lookups, staging, state
from stream.edges.warehouse.errors import translated
from stream.edges.warehouse.untangle import displaced_rows, write_untangling

APPLICATION_NAME = "cx-worker"


class TangledError(Exception):
    """The batch touches a tangle: it has to start again, alone."""


@dataclass
class Landed:
    """What one transaction did."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    new_letters: list[Letter] = field(default_factory=list)


class Warehouse:
    """Lands batches. Blocking: call it from a thread of its own."""

    def __init__(self, url: str, policy: DriftPolicy) -> None:
        self._policy = policy
        self._engine = _engine(url)

    def land(self, batch: Batch) -> Landed:
        """Write a batch's whole effect in one transaction.

        Raises Unavailable (try again), RefusedRecord (a row that passed the contract is not accepted), Misconfigured.
        """
        with translated():
            try:
                with self._engine.begin() as connection:
                    return self._land(connection, batch, alone=batch.deletes_tickets)
            except TangledError:
                with self._engine.begin() as connection:
                    return self._land(connection, batch, alone=True)

    def unpublished_letters(self, most: int = 500) -> list[letters.Unpublished]:
        """Dead letters that are not on the dead-letter topic yet, oldest first."""
        with translated(), self._engine.connect() as connection:
            return [letters.Unpublished(*row) for row in connection.execute(letters.UNPUBLISHED, {"most": most})]

    def mark_published(self, ids: list[int]) -> None:
        """Remember that these letters are on the topic."""
        with translated(), self._engine.begin() as connection:
            connection.execute(letters.PUBLISHED, {"ids": ids})

    def raise_alert(self, alert: Alert) -> None:
        """Put one alert into the outbox in a transaction of its own."""
        with translated(), self._engine.begin() as connection:
            alerts.raise_alerts(connection, [alert])

    def close(self) -> None:
        """Close every connection; a later call would open a new one."""
        self._engine.dispose()

    def _land(self, connection: Connection, batch: Batch, alone: bool) -> Landed:
        partitions = {(record.topic, record.partition) for record in batch.records}
        accounting.lock(connection, partitions, alone)
        offsets = accounting.next_offsets(connection, {topic for topic, _ in partitions})
        landed = Landed(dict.fromkeys(batch.without_effect, Outcome.DUPLICATE))
        new_letters = self._land_tickets(connection, batch, offsets, alone, landed)
        for table, events in batch.lookups.items():
            if events:
                known = lookups.read_known(connection, table, [lookup_key(one) for _, one in events])
                fold = fold_lookups(events, known)
                lookups.write_lookups(connection, table, fold)
                landed.outcomes.update(fold.outcomes)
        landed.outcomes.update({place: Outcome.REJECTED for place, _ in batch.rejections})
        new_letters += [rejection_letter(one, is_fresh(one.record, offsets)) for _, one in batch.rejections]
        _write_letters(connection, gather(new_letters), landed)
        accounting.write_consumed(connection, count(batch.records, landed.outcomes, offsets))
        drifts = alerts.remember_drifts(connection, batch.differences)
        alerts.raise_alerts(connection, letter_alerts(landed.new_letters) + drift_alerts(drifts))
        return landed

    def _land_tickets(
        self, connection: Connection, batch: Batch, offsets: Mapping[Partition, int], alone: bool, landed: Landed
    ) -> list[Letter]:
        """Write the ticket signals; return the letters of the conflicts among them."""
        if not batch.tickets:
            return []
        changes = batch.changes
        places = {id(change): place for place, change in changes}
        staging.stage(connection, changes)
        known = state.read_state(connection, changes)
        tangled = tangled_tickets((one for _, one in batch.tickets), known)
        conflicts: list[Letter] = []
        if tangled:
            if not alone:
                raise TangledError
            keys = {signal_of(change).idempotency_key for _, change in changes if ticket_of(change) in tangled}
            component = state.read_component(connection, tangled, keys, [change for _, change in changes])
            tangled = component.tickets
            result = untangle([one for one in batch.tickets if ticket_of(one[1]) in tangled], component)
            landed.outcomes.update(result.outcomes)
            rows = displaced_rows(connection, result.displaced) if result.displaced else []
            conflicts = [displaced_letter(row, changes[0][1].record.topic) for row in rows]
            conflicts += [conflict_letter(one, int(is_fresh(one.change.record, offsets))) for one in result.conflicts]
            write_untangling(connection, result, tangled, places, self._reader(connection, result))
            _change_letters(connection, result)
        simple = [(place, change) for place, change in changes if ticket_of(change) not in tangled]
        fold = fold_tickets(simple, known)
        history.write_fold(connection, fold, places)
        landed.outcomes.update(fold.outcomes)
        return conflicts

    def _reader(self, connection: Connection, result: Untangling):  # type: ignore[no-untyped-def]
        rows = connection.execute(letters.PAYLOADS, letters._fingerprints(result.freed)) if result.freed else []
        stored = {fingerprint: RawRecord(topic, partition, offset, 0, key, payload)
                  for fingerprint, topic, partition, offset, key, payload in rows}  # fmt: skip

        def reread(candidate: Candidate) -> Change:
            change = decode(stored[letters.conflict_fingerprint(*candidate.id)], self._policy)
            assert isinstance(change, Change)
            change.content_hash = candidate.content_hash
            return change

        return reread


def _write_letters(connection: Connection, new_letters: list[Letter], landed: Landed) -> None:
    if new_letters:
        added = letters.write_letters(connection, new_letters)
        landed.new_letters = [letter for letter in new_letters if letter.fingerprint in added]
        letters.erase_letters(connection, {(one.source_system, one.ticket_id) for one in new_letters if one.ticket_id})


def _change_letters(connection: Connection, result: Untangling) -> None:
    letters.erase_letters(connection, result.tombstones)
    letters.erase_conflicts(connection, result.conflicts_over)
    letters.resolve_letters(connection, result.freed)
    letters.set_letter_positions(connection, result.conflicts_seen_again)


def is_fresh(record, offsets: Mapping[Partition, int]) -> bool:  # type: ignore[no-untyped-def]
    """Whether this record was never read before."""
    return record.offset >= offsets.get((record.topic, record.partition), 0)


def _engine(url: str) -> Engine:
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=1,
        max_overflow=1,
        pool_pre_ping=True,
        connect_args={"application_name": APPLICATION_NAME, "connect_timeout": 10, "prepare_threshold": 2},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection, _: object) -> None:
        staging.create_staging(connection)

    return engine
