"""A page of deliveries costs the same wherever it is in the list."""

import pytest
from support.organization import Installation

from pidgr.campaigns import delivery_store
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader


@pytest.mark.parametrize("number", range(len(delivery_store.PAGES)))
def test_a_page_begins_at_its_position(installation: Installation, number: int) -> None:
    """SQLite plans without statistics, so its plan is the same for a list of any length."""
    page = delivery_store.PAGES[number]

    def plan(reader: Reader) -> list[str]:
        if reader.dialect != "sqlite":
            return []
        names = "organization_key campaign_key after_run after_ordinal status limit"
        rows = reader.rows(
            Statement(f"explain query plan {page.sqlite}"), dict.fromkeys(names.split(), 1)
        )
        return [str(row[3]) for row in rows]

    steps = installation.read(plan)
    assert "USE TEMP B-TREE FOR ORDER BY" not in steps
    assert [step for step in steps if step.startswith(("SEARCH d", "SCAN d"))] == [
        "SEARCH d USING PRIMARY KEY (step_run_key=? AND ordinal>?)",
        "SEARCH d USING PRIMARY KEY (step_run_key=?)",
    ] * (installation.database.dialect == "sqlite")
