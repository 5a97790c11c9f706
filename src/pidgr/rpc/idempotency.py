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
from pidgr.rpc.idempotency_store import Remembered
from pidgr.rpc.map_order import put_maps_in_order
from pidgr.secrets import MasterKey
from pidgr.storage.transaction import Reader, Transaction

HEADER: Final = "idempotency-key"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_KEPT: Final = DAY
# Answers may hold what is shown only once, such as an API key.
_PURPOSE: Final = "idempotency"


@dataclass(frozen=True, slots=True)
class RepeatableCall:
    """A call that carries a key."""

    digest: bytes
    """What it is remembered under. Keys of different callers and methods are different keys."""
    request_digest: bytes


def repeatable_call(
    rpc: str, caller: Caller, address: str, key: str, request: Message
) -> RepeatableCall:
    """Return what is compared of a call. Takes a while for a large request.

    Args:
        rpc: that is called.
        caller: of it.
        address: of the client, who is told by it when there is no credential.
        key: that the client gave it.
        request: whose maps are put in order.

    Raises:
        InvalidArgumentError: the key is not 1 to 255 printable ASCII characters.
    """
    if _KEY.fullmatch(key) is None:
        raise invalid_field(HEADER, "must be 1 to 255 printable ASCII characters")
    actor = caller.actor_id or caller.subject or address
    parts = f"{caller.organization_id}\0{actor}\0{caller.client_id}\0{rpc}\0{key}"
    put_maps_in_order(request)
    return RepeatableCall(
        hashlib.sha256(parts.encode()).digest(), hashlib.sha256(request.to_binary()).digest()
    )


class Idempotency:
    """Runs calls at most once per key."""

    def __init__(self, master_key: MasterKey, clock: Clock) -> None:
        self._master_key = master_key
        self._clock = clock

    def answered(
        self, reader: Reader, call: RepeatableCall, answer_type: type[Message]
    ) -> Message | None:
        """Return the answer of an earlier call under the key, if there was one.

        Raises:
            AlreadyExistsError: the key was used with another request.
        """
        expired = self._clock.now() - _KEPT
        remembered = idempotency_store.find(reader, call.digest, expired=expired)
        return None if remembered is None else self._repeat(remembered, call, answer_type)

    def run(
        self,
        transaction: Transaction,
        call: RepeatableCall,
        answer_type: type[Message],
        work: Callable[[], Message],
    ) -> Message:
        """Return the answer of the first call under the key, which may be this one.

        Raises:
            AlreadyExistsError: the key was used with another request.
        """
        now = self._clock.now()
        expired = now - _KEPT
        if not idempotency_store.claim(
            transaction, call.digest, call.request_digest, now=now, expired=expired
        ):
            remembered = idempotency_store.find(transaction, call.digest, expired=expired)
            assert remembered is not None  # noqa: S101 - the claim met it
            return self._repeat(remembered, call, answer_type)
        answer = work()
        sealed = self._master_key.seal(_PURPOSE, answer.to_binary())
        idempotency_store.remember(transaction, call.digest, sealed)
        return answer

    def _repeat(
        self, remembered: Remembered, call: RepeatableCall, answer_type: type[Message]
    ) -> Message:
        assert remembered.sealed_answer is not None  # noqa: S101 - committed with its answer
        if remembered.request_digest != call.request_digest:
            raise AlreadyExistsError("this idempotency key was used with another request")
        plain = self._master_key.unseal(_PURPOSE, remembered.sealed_answer)
        return answer_type.from_binary(plain)
