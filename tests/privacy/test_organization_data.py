"""The copy of an organization holds what the schema has, and no secret of it."""

import json
import re
from typing import Any

from support.organization import Installation, Tenant
from support.rows import fill_every_table

from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.privacy import organization_rows
from pidgr.privacy.organization_data import document
from pidgr.privacy.organization_rows import SECTIONS, Position, Section
from pidgr.secrets import MasterKey
from pidgr.storage.ownership import owned_tables
from pidgr.storage.transaction import Reader, Row

# What no copy holds: secrets and ways in, what the server keeps for its own work, figures that
# follow from what is there, and what heatmaps and recordings are made of, which names nobody.
LEFT_OUT = {
    "audience",
    "audit_export",
    "campaign_counter",
    "delivery_error",
    "invitation_mail",
    "link_key",
    "member_count",
    "nudge",
    "oauth_consent",
    "oauth_grant",
    "recording",
    "screenshot",
    "short_code",
    "sign_in_arrival",
    "sign_in_session",
    "sso_attempt",
    "sso_provider",
    "step_text",
    "touch_batch",
    "touch_block",
    "touch_grid",
    "touch_screen",
    "touch_upkeep",
    "webhook_call",
    "webhook_secret",
}
SECRETS = ("digest", "sealed", "token", "secret", "handle", "subject", "salt")


def copied(installation: Installation, tenant: Tenant, page: int) -> tuple[dict[str, Any], int]:
    """Return the copy, read in pages of a size, and the largest part that was handed on."""
    ids = DeliveryIds(MasterKey("a master key for tests, long enough"))

    def read(section: Section, after: Position) -> list[Row]:
        def work(reader: Reader) -> list[Row]:
            return organization_rows.page(reader, section, tenant.key, after, page)

        return installation.read(work)

    parts = list(document(read, ids, installation.clock.now()))
    return json.loads(b"".join(parts)), max(map(len, parts))


def test_every_table_is_copied_or_left_out_on_purpose() -> None:
    texts = " ".join(section.statement.sqlite for section in SECTIONS)
    read = set(re.findall(r"\b(?:from|join) (\w+)", texts))
    assert {table.name for table in owned_tables()} - read == LEFT_OUT


def test_no_column_is_a_secret() -> None:
    for section in SECTIONS:
        selected = section.statement.sqlite.partition(" from ")[0]
        assert [secret for secret in SECRETS if secret in selected] == [], section.name
        numbers = [name for name in section.columns if name.endswith("_key")]
        # What the id of a delivery is computed from, and replaced by.
        assert numbers == (["step_run_key"] if section.name == "deliveries" else [])


def test_pages_of_any_size_hold_the_same(installation: Installation, acme: Tenant) -> None:
    for number in range(7):
        acme.add_member(f"person{number}@example.com", name=f"Person {number}")
    whole, largest = copied(installation, acme, 1_000)
    few, small = copied(installation, acme, 2)
    assert few == whole
    assert small < largest
    assert len(whole["members"]) == 8
    assert len(whole["group_members"]) == 8
    assert {one["status"] for one in whole["members"]} == {"ACTIVE"}
    assert whole["organization"][0]["name"] == "Acme"


def test_nothing_of_another_organization_is_in_it(installation: Installation, acme: Tenant) -> None:
    def rows(tenant: Tenant) -> dict[str, list[Row]]:
        return installation.read(
            lambda reader: {
                section.name: organization_rows.page(
                    reader, section, tenant.key, section.start, 1_000
                )
                for section in SECTIONS
            }
        )

    before = rows(acme)
    other = installation.found("Other", "eve@example.com")
    installation.write(lambda unit: fill_every_table(unit, other.key))
    assert rows(acme) == before
    # Made-up deliveries are in no lane; those of a campaign are seen over the wire.
    assert [name for name, found in rows(other).items() if not found] == ["deliveries"]
