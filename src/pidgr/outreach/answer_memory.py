"""What providers have answered for batches that are not through yet."""

import threading
from collections import OrderedDict
from typing import Final

from pidgr.outreach.push import Answer, Push

# A lane has one batch in hand; far more lanes than run at once.
_BATCHES: Final = 64

Answers = dict[tuple[str, str], Answer]


class AnswerMemory:
    """Remembers a batch's answers, so that sending it again leaves out what has been answered.

    A provider that asks to wait in the middle of a batch has taken the first half. Only a crash
    forgets, and repeats at most the batch in hand. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._batches: OrderedDict[str, Answers] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, idempotency_key: str) -> Answers:
        """Return the answers of a batch by ``name_of`` a push, to be added to."""
        with self._lock:
            answers = self._batches.setdefault(idempotency_key, {})
            self._batches.move_to_end(idempotency_key)
            while len(self._batches) > _BATCHES:
                self._batches.popitem(last=False)
            return answers


def name_of(push: Push) -> tuple[str, str]:
    """Return what tells a push from the others of its batch."""
    return push.delivery_id, push.device_id
