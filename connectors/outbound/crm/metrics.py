"""What the CRM service counts. Names are constants that dashboards rely on."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from connectors.outbound.crm.answers import Answer

REQUESTS = "cx_crm_requests_total"
RECORDS = "cx_crm_records_total"
ACCOUNTS = "cx_crm_accounts"


class Metrics:
    """Counters of one CRM service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(REQUESTS, "Requests to the CRM.", registry=registry)
        self._records = Counter(RECORDS, "Records sent to the CRM, by what became of them.", ["result"], registry=registry)
        self._accounts = Gauge(ACCOUNTS, "Accounts whose flags wait, or are refused.", ["state"], registry=registry)

    def answered(self, answers: Sequence[Answer]) -> None:
        self._requests.inc()
        for answer in answers:
            self._records.labels(answer.kind.value).inc()

    def left(self, waiting: int, refused: int) -> None:
        self._accounts.labels("waiting").set(waiting)
        self._accounts.labels("refused").set(refused)
