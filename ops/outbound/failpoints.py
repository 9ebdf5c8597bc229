"""Places at which a fault test may have the outbound process killed, as if the machine lost power: `<service>_<place>`.

relay_before_send, relay_after_send, relay_after_progress      between warehouse, Kafka and the note of what was carried
crm_before_take, crm_after_take, crm_before_commit             between topic, warehouse and offsets
webhooks_before_queue_commit, webhooks_after_queue_commit       between topic, queue and the position in the topic
webhooks_before_post, webhooks_after_post, webhooks_after_settle  between queue, subscriber and the note of its answer
crm_before_request, crm_after_request, crm_after_answer        between warehouse, CRM and the note of what it was told
"""

import os
import signal
from collections.abc import Callable


def failing(name: str, service: str) -> Callable[[str], None]:
    """A function to call at each place of a service: at the named one it kills this process."""

    def reached(place: str) -> None:
        if name == f"{service}_{place}":
            os.kill(os.getpid(), signal.SIGKILL)

    return reached
