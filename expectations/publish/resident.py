"""The parts that stay warm between cycles, wired together."""

from collections.abc import Callable

from psycopg import Connection

from expectations.gate.gate import Files, Gate
from expectations.gate.validate import Validator
from expectations.policy import Timing
from expectations.publish import lock
from expectations.publish.cycle import Cycle
from expectations.publish.shape import Mart
from expectations.publish.transform import Project, Transformer


class Publisher:
    """One warm dbt and one warm gate over one warehouse."""

    def __init__(self, project: Project, files: Files, announce: Callable[[str], None] = lambda stage: None) -> None:
        self._url = project.warehouse_url
        self._transformer = Transformer(project)
        self._validator = Validator(project.warehouse_url)
        self._gate = Gate(self._validator, files)
        self._announce = announce
        self._gate_files: list[tuple[str, int]] = []

    def connect(self) -> Connection:
        """The publisher's connection, with its lock; raises Occupied, Refused or psycopg.OperationalError."""
        return lock.connect(self._url)

    def cycle(self, connection: Connection) -> Cycle:
        """A cycle over that connection."""
        return Cycle(connection, self._transformer, self._gate, self._announce)

    def marts(self) -> list[Mart]:
        """The models that are published."""
        return self._transformer.marts()

    def close(self) -> None:
        """Close the connections that the gate keeps."""
        self._validator.close()

    def timing(self) -> Timing:
        """The policy's timing as the file says now; raises PolicyError."""
        return self._gate.policy().timing

    def files_changed(self) -> bool:
        """Whether models, suites or the policy were edited since this was last asked (models: since they were parsed)."""
        before, self._gate_files = self._gate_files, self._gate.files()
        return before != self._gate_files or self._transformer.files_changed()
