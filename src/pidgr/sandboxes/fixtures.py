"""Sample data that an organization can begin with (SEMANTICS 2.9).

What a fixture makes is made with the same stores, texts and plans as everything else: its campaign
is one that ran and is over. Its people have addresses under ``.example``, which no mail can reach.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.organization_pb import CompanySize, Industry, SandboxFixture
from pidgr.directory import member_store, role_store
from pidgr.directory.collective_store import GROUPS, TEAMS, CollectiveStore
from pidgr.directory.founding import Founding
from pidgr.errors import NotFoundError
from pidgr.sandboxes import fixture_campaign, fixture_people, fixture_templates
from pidgr.sandboxes.fixture_campaign import FinishedCampaign
from pidgr.sandboxes.fixture_people import Staff
from pidgr.sandboxes.fixture_templates import SampleTemplate
from pidgr.sandboxes.fixture_texts import (
    ACCESS_REVIEW,
    CODE_OF_CONDUCT,
    MONEY_LAUNDERING,
    PRICE_LIST,
    QUARTER_KICKOFF,
    WELCOME,
)
from pidgr.storage.transaction import Transaction
from pidgr.validation import fold

STARTER: Final = "starter"
EMPTY: Final = "empty"
DEFAULT: Final = STARTER
"""What a sandbox begins with unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Fixture:
    """A set of sample data; one without ``staff`` leaves the organization as it was founded.

    ``departments`` become teams; the first one is the sender of the campaign.
    """

    id: str
    name: str
    description: str
    industry: Industry = Industry.UNSPECIFIED
    company_size: CompanySize = CompanySize.UNSPECIFIED
    staff: Staff | None = None
    templates: tuple[SampleTemplate, ...] = ()
    campaign: FinishedCampaign | None = None


_ALL: Final = {
    fixture.id: fixture
    for fixture in (
        Fixture(EMPTY, "Empty", "Roles, the default group and the default team, and nothing else."),
        Fixture(
            "fintech",
            "Fintech",
            "A payments company of 120 people under supervision: compliance training that nearly "
            "everybody has confirmed.",
            industry=Industry.FINANCE,
            company_size=CompanySize.COMPANY_SIZE_1_200,
            staff=Staff(
                size=120,
                departments=(
                    "Compliance",
                    "Engineering",
                    "Payments operations",
                    "Risk",
                    "Customer support",
                ),
                title="Specialist",
                attribute="clearance",
                values=("standard", "cardholder data", "treasury"),
            ),
            templates=(MONEY_LAUNDERING, ACCESS_REVIEW),
            campaign=FinishedCampaign(
                name="Anti-money-laundering training 2026",
                label="I have done the training",
                days_ago=12,
                acknowledged=91,
                unreachable=2,
            ),
        ),
        Fixture(
            "sales",
            "Sales",
            "A field sales force of 80 people in four regions: a price list that a quarter of them "
            "missed.",
            industry=Industry.RETAIL,
            company_size=CompanySize.COMPANY_SIZE_1_200,
            staff=Staff(
                size=80,
                departments=(
                    "Sales operations",
                    "Region North",
                    "Region South",
                    "Region East",
                    "Region West",
                ),
                title="Account manager",
                attribute="territory",
                values=("retail", "wholesale", "public sector"),
            ),
            templates=(PRICE_LIST, QUARTER_KICKOFF),
            campaign=FinishedCampaign(
                name="Price list from 1 July",
                label="Understood",
                days_ago=6,
                acknowledged=71,
                unreachable=4,
            ),
        ),
        Fixture(
            STARTER,
            "Starter",
            "A small company of 24 people with groups, teams, two translated templates and a "
            "campaign that is over.",
            company_size=CompanySize.COMPANY_SIZE_1_200,
            staff=Staff(
                size=24,
                departments=("People and culture", "Operations", "Product"),
                title="Associate",
                attribute="shift",
                values=("day", "evening"),
            ),
            templates=(CODE_OF_CONDUCT, WELCOME),
            campaign=FinishedCampaign(
                name="Code of conduct 2026",
                label="I have read it",
                days_ago=9,
                acknowledged=84,
                unreachable=3,
            ),
        ),
    )
}


def find(fixture_id: str) -> Fixture:
    """Return a fixture by its slug.

    Raises:
        NotFoundError: there is none.
    """
    fixture = _ALL.get(fixture_id)
    if fixture is None:
        names = ", ".join(_ALL)
        message = f"no fixture has the id {fixture_id[:50]!r}; there are {names}"
        raise NotFoundError(message)
    return fixture


def catalogue() -> list[SandboxFixture]:
    """Return what is on offer, by name."""
    return [
        SandboxFixture(
            id=fixture.id,
            name=fixture.name,
            description=fixture.description,
            is_default=fixture.id == DEFAULT,
        )
        for fixture in sorted(_ALL.values(), key=lambda fixture: fixture.name)
    ]


def fill(transaction: Transaction, founded: Founding, fixture: Fixture, now: int) -> None:
    """Put a fixture's people, groups, teams, templates and campaign into a new organization.

    Args:
        transaction: the unit of work that founds it.
        founded: the organization and its first member, in whose name it is done.
        fixture: what to put in.
        now: the time of founding, in microseconds; everything else happened before it.
    """
    staff, campaign = fixture.staff, fixture.campaign
    if staff is None or campaign is None:
        return
    organization_key = founded.organization_key
    roles = role_store.roles_by_slug(transaction, organization_key)
    people = fixture_people.people(staff, fixture.id, roles, now)
    member_store.insert_members(
        transaction, organization_key, [person.member for person in people], now
    )
    keys = member_store.hold_members(
        transaction, organization_key, [person.member.id for person in people]
    )
    for store, collectives in (
        (GROUPS, fixture_people.groups(people)),
        (TEAMS, fixture_people.departments(people)),
    ):
        for name, wanted in collectives.items():
            member_keys = [keys[person.member.id] for person in wanted]
            _add(transaction, store, founded, name, member_keys, now)
    template_ids = [
        fixture_templates.insert(transaction, founded, template, now)
        for template in fixture.templates
    ]
    fixture_campaign.insert(
        transaction,
        founded,
        campaign,
        template_id=template_ids[0],
        sender=staff.departments[0],
        recipients=[person.member.id for person in people],
        now=now,
    )


def _add(
    transaction: Transaction,
    store: CollectiveStore,
    founded: Founding,
    name: str,
    member_keys: Sequence[int],
    now: int,
) -> None:
    collective_id = str(uuid.uuid4())
    if store.named(transaction, founded.organization_key, fold(name)):
        # The default team has the organization's name, which can be a department's too.
        name = f"{name} (department)"
    store.insert(
        transaction,
        founded.organization_key,
        collective_id=collective_id,
        name=name,
        name_folded=fold(name),
        description="",
        created_by=founded.admin_id,
        is_default=False,
        now=now,
    )
    stored = store.find(transaction, founded.organization_key, collective_id)
    assert stored is not None  # noqa: S101 - just stored
    store.add(transaction, founded.organization_key, stored.key, member_keys)
