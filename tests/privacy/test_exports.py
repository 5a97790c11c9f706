"""How many copies may wait, of data and of the audit trail alike."""

from collections.abc import Callable

import pytest
from support.organization import Installation, Tenant
from support.waiting import at_once

from pidgr.audit.exporting import AuditExports
from pidgr.audit.reading import TrailReader
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.contract.v1.audit_pb import AuditExportFormat
from pidgr.contract.v1.privacy_pb import PrivacyRequestStatus
from pidgr.directory import member_store
from pidgr.errors import ResourceExhaustedError
from pidgr.privacy import request_store
from pidgr.privacy.exports import DataExports
from pidgr.privacy.requesting import new_request
from pidgr.secrets import MasterKey
from pidgr.storage.transaction import Transaction

Begin = Callable[[Transaction], object]


@pytest.fixture(params=["person", "trail"])
def begin(request: pytest.FixtureRequest, installation: Installation, acme: Tenant) -> Begin:
    """Ask for a copy; nothing writes it here."""
    ids = DeliveryIds(MasterKey("a master key for tests, long enough"))
    parts = (installation.database, installation.engine, installation.blobs)
    clock, admin = installation.clock, acme.admin
    if request.param == "trail":
        trail = AuditExports(*parts, TrailReader(ids), clock)
        return lambda unit: trail.begin(unit, admin, AuditExportFormat.CSV, 0, 1)
    copies = DataExports(*parts, ids, clock)

    def person(unit: Transaction) -> None:
        member = member_store.existing_member(unit, acme.key, admin.actor_id)
        pending = PrivacyRequestStatus.PENDING
        copies.begin(unit, new_request(admin, member, request_store.EXPORT, pending, clock.now()))

    return person


def test_five_wait_at_most_however_many_are_asked_for_at_once(
    installation: Installation, begin: Begin
) -> None:
    def ask() -> bool:
        try:
            installation.write(begin)
        except ResourceExhaustedError:
            return False
        return True

    assert sum(at_once(12, ask)) == 5
