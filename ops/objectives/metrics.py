"""Objectives and the pipeline's outside as Prometheus gauges. Names are constants that dashboards and rules rely on."""

from prometheus_client import CollectorRegistry, Gauge

from connectors import register
from ops.objectives.measure import Measured
from ops.objectives.outlook import Standing
from ops.objectives.words import window
from ops.stack import probes

VALUE = "cx_objective_value"
TARGET = "cx_objective_target"
IS_MET = "cx_objective_is_met"
BUDGET_LEFT = "cx_objective_error_budget_left_ratio"
BURN_RATE = "cx_objective_burn_rate"
SAMPLED_AT = "cx_objectives_sampled_timestamp_seconds"
GROUP_LAG_RECORDS = "cx_consumer_group_lag_records"
GROUP_LAG_SECONDS = "cx_consumer_group_lag_seconds"
SLOT_RETAINED = "cx_replication_slot_retained_bytes"
SLOT_IS_ACTIVE = "cx_replication_slot_is_active"
SLOT_IS_SAFE = "cx_replication_slot_is_safe"
HEARTBEAT_AGE = "cx_heartbeat_age_seconds"
CONNECTOR_IS_RUNNING = "cx_connector_is_running"
LOST_STATES = ("unreserved", "lost")


class Metrics:
    """What the newest sample saw. What could not be seen disappears instead of keeping its last value."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        self._value = gauge(VALUE, "Newest value of an objective, in its unit.", "objective", "unit")
        self._target = gauge(TARGET, "What its value must not exceed.", "objective", "unit")
        self._is_met = gauge(IS_MET, "1 while its error budget is not overdrawn.", "objective")
        self._left = gauge(BUDGET_LEFT, "Share of its error budget that is left; below 0: overdrawn.", "objective")
        self._rate = gauge(BURN_RATE, "How many times faster than evenly its budget burns.", "objective", "window")
        self._sampled = gauge(SAMPLED_AT, "When objectives were sampled last.")
        place = ("consumer_group", "topic", "partition")
        self._lag_records = gauge(GROUP_LAG_RECORDS, "Records that the group has still to read.", *place)
        self._lag_seconds = gauge(GROUP_LAG_SECONDS, "Age of the oldest record that the group has still to read.", *place)
        self._retained = gauge(SLOT_RETAINED, "Write-ahead log that the store retains for the slot.", "slot")
        self._active = gauge(SLOT_IS_ACTIVE, "1 while the connector reads the slot.", "slot")
        self._safe = gauge(SLOT_IS_SAFE, "1 while PostgreSQL keeps all that the slot needs.", "slot")
        self._heartbeat = gauge(HEARTBEAT_AGE, "Age of the connector's newest heartbeat in the store.", "slot")
        self._connector = gauge(CONNECTOR_IS_RUNNING, "1 while the connector and its task are RUNNING.", "connector")

    def stood(self, standings: list[Standing], at: float) -> None:
        """Every objective's standing at a moment (seconds since 1970)."""
        self._sampled.set(at)
        self._value.clear()
        for one in standings:
            name, unit = one.objective.name, one.objective.unit
            self._target.labels(name, unit).set(one.objective.target)
            self._is_met.labels(name).set(one.is_met)
            self._left.labels(name).set(one.budget.left_share)
            if one.newest is not None and one.newest.value is not None:
                self._value.labels(name, unit).set(one.newest.value)
            for length, rate in one.rates.items():
                self._rate.labels(name, window(length)).set(rate)

    def saw(self, measured: Measured, group: str) -> None:
        """The pipeline from outside: lag, slot, heartbeat, connector."""
        for one in (self._lag_records, self._lag_seconds, self._retained, self._active, self._safe, self._heartbeat):
            one.clear()
        for row in (measured.lag or {"partitions": []})["partitions"]:
            self._lag_records.labels(group, row["topic"], row["partition"]).set(row["records"])
            if row["seconds"] is not None:
                self._lag_seconds.labels(group, row["topic"], row["partition"]).set(row["seconds"])
        self._slot(measured.slot)
        self._connector.clear()
        if measured.connector is not None:
            self._connector.labels(register.CONNECTOR_NAME).set(measured.connector.runs)

    def _slot(self, slot: probes.Facts | None) -> None:
        if slot is None:
            return
        self._active.labels("cx_enrichment").set(slot["active"])
        self._safe.labels("cx_enrichment").set(slot["wal_status"] not in LOST_STATES)
        for gauge, name in ((self._retained, "retained_bytes"), (self._heartbeat, "heartbeat_age_seconds")):
            if slot[name] is not None:
                gauge.labels("cx_enrichment").set(slot[name])
