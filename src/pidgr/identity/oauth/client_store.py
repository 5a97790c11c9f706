"""SQL of registered applications. They are the installation's and have no organization."""

from typing import Final

from pidgr.identity.oauth.clients import PIDGR_MCP, Client
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_COLUMNS: Final = "id, name, redirect_uris, scopes"
_ONE: Final = Statement(f"select {_COLUMNS} from oauth_client where id = :id")
_ALL: Final = Statement(f"select {_COLUMNS} from oauth_client order by created_at, id")
_INSERT: Final = Statement("""
    insert into oauth_client (id, name, redirect_uris, scopes, created_at)
    values (:id, :name, :redirect_uris, :scopes, :now)
""")
_DELETE: Final = Statement("delete from oauth_client where id = :id")


def find(reader: Reader, client_id: str) -> Client | None:
    """Return an application, the built-in one included."""
    if client_id == PIDGR_MCP.id:
        return PIDGR_MCP
    return reader.record(_client, _ONE, {"id": client_id})


def every(reader: Reader) -> list[Client]:
    """Return all applications, the built-in one first."""
    return [PIDGR_MCP, *reader.records(_client, _ALL)]


def insert(transaction: Transaction, client: Client, now: int) -> None:
    """Store a new application."""
    parameters = {
        "id": client.id,
        "name": client.name,
        "redirect_uris": " ".join(client.redirect_uris),
        "scopes": " ".join(sorted(client.scopes)),
        "now": now,
    }
    transaction.execute(_INSERT, parameters)


def delete(transaction: Transaction, client_id: str) -> bool:
    """Forget an application; False if there was none."""
    return transaction.execute(_DELETE, {"id": client_id}) == 1


def _client(client_id: str, name: str, redirect_uris: str, scopes: str) -> Client:
    return Client(client_id, name, tuple(redirect_uris.split()), frozenset(scopes.split()))
