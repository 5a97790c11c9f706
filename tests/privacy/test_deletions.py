"""A deletion that is called off at the moment in which it is done: one of the two happens."""

import pytest
from support.calls import Calls
from support.organization import Installation, Tenant
from support.overlap import overlap

from pidgr.contract.v1.privacy_pb import CancelDeletionRequest, DeleteUserDataRequest
from pidgr.directory import member_store
from pidgr.errors import FailedPreconditionError
from pidgr.privacy import request_store
from pidgr.privacy.deletion_rpcs import DeletionRpcs
from pidgr.privacy.erasure import Erasure
from pidgr.storage.transaction import Transaction


@pytest.mark.parametrize("called_off_first", [True, False])
def test_who_is_erased_is_not_called_off_and_who_is_called_off_is_not_erased(
    installation: Installation, acme: Tenant, called_off_first: bool
) -> None:
    database, clock = installation.database, installation.clock
    erasure = Erasure(database, installation.engine, clock)
    rpcs = DeletionRpcs(erasure, clock)
    person = acme.add_member("eve@example.com").member()
    asked = Calls(acme, rpcs)("delete_user_data", DeleteUserDataRequest(user_id=person.id))
    waiting = installation.read(
        lambda unit: request_store.request(unit, acme.key, asked.request_id)
    )
    assert waiting is not None
    refused: list[FailedPreconditionError] = []

    def erase(unit: Transaction) -> None:
        erasure.erase(unit, waiting.key)

    def call_off(unit: Transaction) -> None:
        request = CancelDeletionRequest(request_id=waiting.id, confirmation_email=person.email)
        rpcs.cancel_deletion(request, acme.admin, unit)

    def second() -> None:
        try:
            installation.write(erase if called_off_first else call_off)
        except FailedPreconditionError as error:
            refused.append(error)

    overlap(database, call_off if called_off_first else erase, second)
    left = installation.read(lambda unit: member_store.member(unit, acme.key, person.id))
    assert (left is not None) == called_off_first
    assert len(refused) == (0 if called_off_first else 1)
