"""``Idempotency-Key``: a repeated call gets the first one's answer and changes nothing again.

The key is claimed, and the answer kept, in the transaction that does the work: either all of it
happened or none, at any crash and under concurrent repeats. A refused call leaves no trace, so it
may be repeated under the same key once it is mended.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protobuf import Message

from pidgr.clock import DAY, Clock
from pidgr.errors import AlreadyExistsError, invalid_field
from pidgr.identity.caller import Caller
from pidgr.rpc import idempotency_store
from pidgr.secrets import MasterKey
from pidgr.storage.transaction import Transaction

HEADER: Final = "idempotency-key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT: Final = DAY
# Answers may hold what is shown only once, such as an API key.
_PURPOSE: Final = "idempotency"


@dataclass(frozen=True, slots=True)
class RepeatableCall:
    """A call that carries a key. Keys of different callers and methods are different keys."""

    rpc: str
    caller: Caller
    key: str
    request: Message

    def digest(self) -> bytes:
        """Return what the call is remembered under."""
        organization = self.caller.organization.id if self.caller.organization else ""
        actor = self.caller.actor_id or self.caller.subject
        parts = f"{organization}\0{actor}\0{self.rpc}\0{self.key}"
        return hashlib.sha256(parts.encode()).digest()


class Idempotency:
    """Runs calls at most once per key."""

    def __init__(self, master_key: MasterKey, clock: Clock) -> None:
        self._master_key = master_key
        self._clock = clock

    def run(
        self,
        transaction: Transaction,
        call: RepeatableCall,
        answer_type: type[Message],
        work: Callable[[], Message],
    ) -> Message:
        """Return the answer of the first call under the key, which may be this one.

        Raises:
            InvalidArgumentError: the key is not 1 to 255 printable ASCII characters.
            AlreadyExistsError: the key was used with another request.
        """
        if _KEY.fullmatch(call.key) is None:
            raise invalid_field(HEADER, "must be 1 to 255 printable ASCII characters")
        digest = call.digest()
        request_digest = hashlib.sha256(call.request.to_binary()).digest()
        now = self._clock.now()
        if not idempotency_store.claim(
            transaction, digest, request_digest, now=now, expired=now - _KEPT
        ):
            return self._repeat(transaction, digest, request_digest, answer_type)
        answer = work()
        sealed = self._master_key.seal(_PURPOSE, answer.to_binary())
        idempotency_store.remember(transaction, digest, sealed)
        return answer

    def _repeat(
        self,
        transaction: Transaction,
        digest: bytes,
        request_digest: bytes,
        answer_type: type[Message],
    ) -> Message:
        remembered = idempotency_store.find(transaction, digest)
        assert remembered is not None  # noqa: S101 - the claim met it
        assert remembered.sealed_answer is not None  # noqa: S101 - committed with its answer
        if remembered.request_digest != request_digest:
            raise AlreadyExistsError("this idempotency key was used with another request")
        plain = self._master_key.unseal(_PURPOSE, remembered.sealed_answer)
        return answer_type.from_binary(plain)
