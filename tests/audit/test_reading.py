"""Pages of the trail against a plain list, and that each is read by an index."""

import itertools
from functools import partial

import pytest
from support.organization import Tenant

from pidgr.audit import event_store, trail
from pidgr.audit.reading import LAST_MOMENT, Entry, Question, TrailReader
from pidgr.audit.trail import Event
from pidgr.campaigns import receipt_store
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.contract.v1.audit_pb import AuditEventClass, AuditEventType
from pidgr.secrets import MasterKey
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

T = AuditEventType
READER = TrailReader(DeliveryIds(MasterKey("a master key for tests, long enough")))
_TEMPLATE = Statement("""
    insert into template (id, organization_key, type, latest_version)
    values ('t', :organization_key, 1, 1) returning key
""")
_CAMPAIGN = Statement("""
    insert into campaign (id, organization_key, template_key, template_version, status, created_at)
    values ('campaign', :organization_key, :template_key, 1, 2, 1) returning key
""")
_RUN = Statement("""
    insert into step_run (campaign_key, organization_key, iteration, step_type, started_at)
    values (:campaign_key, :organization_key, 0, 1, 1) returning key
""")
_DELIVERY = Statement("""
    insert into delivery (step_run_key, ordinal, organization_key, member_key, kind, status, locale,
                          created_at, changed_at, read_at, acted_at)
    values (:run, :ordinal, :organization_key, :member_key, 1, 4, 1, 1, 1, :read_at, :acted_at)
""")


@pytest.fixture
def trailed(acme: Tenant) -> Tenant:
    """Events and receipts, several of each at the same few moments."""

    def fill(transaction: Transaction) -> None:
        scope = {"organization_key": acme.key}
        template_key = transaction.value(_TEMPLATE, scope)
        campaign_key = transaction.value(_CAMPAIGN, {**scope, "template_key": template_key})
        run = transaction.value(_RUN, {**scope, "campaign_key": campaign_key})
        for ordinal in range(12):
            row = {"run": run, "ordinal": ordinal, "member_key": acme.admin.member().key, **scope}
            moments = {"read_at": 10 + ordinal // 4, "acted_at": 11 if ordinal % 2 else None}
            transaction.execute(_DELIVERY, {**row, **moments})
        for number in range(12):
            event_type = (T.ROLE_CREATED, T.MESSAGE_SENT, T.TEAM_CREATED)[number % 3]
            by = acme.admin if number % 2 else trail.system(acme.key)
            event = Event(event_type, "thing", str(number))
            trail.record_event(transaction, by, event, now=10 + number // 5)

    acme.installation.write(fill)
    return acme


def pages(tenant: Tenant, question: Question, size: int) -> list[Entry]:
    found: list[Entry] = []
    after: tuple[int, ...] = ()
    while page := tenant.installation.read(
        partial(READER.page, question=question, after=after, limit=size)
    ):
        found += page
        after = page[-1].position
    return found


def test_pages_of_any_size_show_everything_once_newest_first(trailed: Tenant) -> None:
    question = Question(trailed.key, start=10, end=12)
    whole = pages(trailed, question, 1_000)
    assert len(whole) == 12 + 12 + 6
    assert len({entry.id for entry in whole}) == len(whole)
    assert [entry.position for entry in whole] == sorted(
        (entry.position for entry in whole), reverse=True
    )
    for size in (1, 2, 3, 7, 29, 30):
        assert pages(trailed, question, size) == whole


def test_filters_leave_what_they_say(trailed: Tenant) -> None:
    everything = pages(trailed, Question(trailed.key), 1_000)
    for event_type, classes, actor_id, (start, end) in itertools.product(
        (T.UNSPECIFIED, T.ROLE_CREATED, T.MESSAGE_OPENED, T.ACK_REGISTERED),
        ((), (AuditEventClass.SYSTEM,), tuple(AuditEventClass)[1:]),
        ("", trailed.admin.actor_id),
        ((0, LAST_MOMENT), (11, 11), (13, 20)),
    ):
        question = Question(trailed.key, event_type, frozenset(classes), actor_id, start, end)
        assert pages(trailed, question, 5) == [
            entry
            for entry in everything
            if event_type in {T.UNSPECIFIED, entry.event_type}
            and (not classes or entry.event_class in classes)
            and (not actor_id or entry.actor_id == actor_id)
            and start <= entry.created_at <= end
        ]


def test_nobody_reads_the_trail_of_another_organization(trailed: Tenant) -> None:
    other = trailed.installation.found("Other", "bob@example.com")
    assert pages(other, Question(other.key), 10) == []
    mine = Question(other.key, actor_id=trailed.admin.actor_id)
    assert pages(other, mine, 10) == []


def test_every_page_is_read_by_its_index_in_order(trailed: Tenant) -> None:
    """SQLite plans without statistics, so its plan is the same for a trail of any length."""
    reads = [*event_store.PAGES.values(), receipt_store.OPENED[0], receipt_store.CONFIRMED[0]]

    def plans(reader: Reader) -> list[str]:
        if reader.dialect != "sqlite":
            return []
        names = "organization_key start at key run ordinal lowest_class highest_class event_type"
        parameters: dict[str, object] = dict.fromkeys(f"{names} actor_id limit".split(), 1)
        found = []
        for read in reads:
            rows = reader.rows(Statement(f"explain query plan {read.sqlite}"), parameters)
            found.append(" | ".join(str(row[3]) for row in rows))
        return found

    for plan in trailed.installation.read(plans):
        assert "USING" in plan
        assert "ix_" in plan
        assert "TEMP B-TREE" not in plan
