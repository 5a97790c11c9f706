"""Where a short link leads whoever opens it, when no other client is set up than our inbox."""

import httpx
import pytest
from support.running import Installation
from support.story import World

from pidgr.campaigns.short_codes import short_code_of
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

FIND = Statement("select key from campaign where id = :id")
SUSPEND = Statement("update organization set suspended = :suspended where id = :id")


@pytest.fixture(scope="module")
def code(installation: Installation, world: World) -> str:
    """The code of a campaign whose title has a variable and what looks like markup."""
    template_id = world.template(title="News for {{name}} & <b>all</b>")
    campaign_id = world.create(template_id=template_id).id

    def work(transaction: Transaction) -> str:
        return short_code_of(transaction, transaction.value(FIND, {"id": campaign_id}))

    return installation.system.database.write_now(work)


def visit(installation: Installation, path: str, language: str = "en") -> httpx.Response:
    headers = {"accept-language": language}
    return httpx.get(f"{installation.url}{path}", headers=headers, timeout=60)


def test_it_leads_to_the_inbox(installation: Installation, code: str) -> None:
    answer = visit(installation, f"/c/{code}?t=anything")
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    inbox = f"{installation.system.settings.issuer}/inbox"
    assert answer.headers["location"] == f"{inbox}?c={code}&t=anything"


@pytest.mark.parametrize("path", ["/c/00000000", "/c/short", "/c/%2e%2e%2fsecret"])
def test_what_is_no_code_leads_nowhere(installation: Installation, path: str) -> None:
    assert visit(installation, path).status_code == 404


def test_links_of_a_suspended_organization_lead_nowhere(
    installation: Installation, world: World, code: str
) -> None:
    def suspend(suspended: bool) -> None:
        values = {"suspended": suspended, "id": world.organization.id}
        installation.system.database.write_now(lambda unit: unit.execute(SUSPEND, values))

    suspend(True)
    try:
        gone = visit(installation, f"/c/{code}")
    finally:
        suspend(False)
    assert gone.status_code == 404
    assert "leads nowhere" in gone.text
    assert visit(installation, f"/c/{code}").status_code == 303
