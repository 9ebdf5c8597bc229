"""What landing a batch can raise, as the pipeline sees it.

StreamError
├── Unavailable         nothing wrong with the data: the pipeline retries in place
├── RefusedRecord       the warehouse refuses a row that passed the contract: the pipeline isolates it
└── StopWorker          nothing the worker can do: it stops with exit code 1
    ├── Misconfigured   no retry can help
    ├── BreakerOpen     nearly everything is rejected
    └── DriftStop       the drift policy says stop
"""


class StreamError(Exception):
    """Base of the stream's errors; the message is a sentence for the operator."""


class Unavailable(StreamError):
    """The warehouse or Kafka cannot take the batch now."""


class RefusedRecord(StreamError):
    """The warehouse refuses the data of this batch."""


class StopWorker(StreamError):
    """The worker has to stop before this batch is acknowledged."""


class Misconfigured(StopWorker):
    """The warehouse cannot take any batch until somebody changes something."""


class BreakerOpen(StopWorker):
    """Nearly every recent record was rejected."""


class DriftStop(StopWorker):
    """The store's columns changed in a way for which the policy says stop."""
