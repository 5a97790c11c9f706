"""Recipients who read and acknowledge while the house burns."""

import random
import threading
from collections.abc import Sequence

import httpx

from faults.api import Api, ApiError
from faults.background import Background
from faults.deployment import Deployment

_THREADS = 4


class Recipients:
    """Threads that sync the inboxes of some users and acknowledge what they find.

    ``answers`` holds, by user id: True after a success, None when the answer was lost. A user who
    got a refusal (the deadline passed first, say) is not in it.
    """

    def __init__(
        self, deployment: Deployment, user_ids: Sequence[str], dice: random.Random
    ) -> None:
        self.url = ""
        self.answers: dict[str, bool | None] = {}
        self.refusals: list[str] = []
        self._tokens = deployment.tokens(user_ids)
        self._open = list(user_ids)
        dice.shuffle(self._open)
        self._lock = threading.Lock()
        self._background = Background([self._run] * _THREADS)

    def start(self, url: str) -> None:
        self.url = url
        self._background.start()

    def finish(self) -> None:
        self._background.finish()

    def _run(self) -> None:
        while not self._background.ending.is_set():
            with self._lock:
                user_id = self._open.pop() if self._open else None
            if user_id is None:
                return
            if not self._visit(user_id):
                with self._lock:
                    self._open.insert(0, user_id)
                self._background.ending.wait(0.005)

    def _visit(self, user_id: str) -> bool:
        """Look into one inbox; True when this user is done."""
        with Api(self.url, self._tokens[user_id]) as api:
            try:
                entries = api("InboxService/Sync").get("entries", [])
            except (httpx.TransportError, ApiError) as error:
                require_outage(error)
                return False
            if not entries:
                return False
            return self._acknowledge(api, user_id, entries[0]["deliveryId"])

    def _acknowledge(self, api: Api, user_id: str, delivery_id: str) -> bool:
        try:
            answer = api("ActionService/SubmitAction", delivery_id=delivery_id, action_id="ack")
        except httpx.TransportError:
            self.answers[user_id] = None
            return True
        except ApiError as error:
            if error.code == "failed_precondition":
                self.refusals.append(str(error))
                return True
            require_outage(error)
            self.answers[user_id] = None
            return True
        assert answer["success"]
        self.answers[user_id] = True
        return True


def require_outage(error: Exception) -> None:
    """Let pass what a dying or starting server answers, and nothing else."""
    if isinstance(error, ApiError) and error.code != "unavailable":
        raise error
