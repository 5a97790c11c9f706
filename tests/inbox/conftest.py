import pytest
from support.organization import Installation, Tenant

from pidgr.storage.database import Database


@pytest.fixture
def installation(database: Database) -> Installation:
    return Installation(database)


@pytest.fixture
def acme(installation: Installation) -> Tenant:
    return installation.found()
