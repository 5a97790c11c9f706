"""A directory that provisions into an organization, over HTTP."""

from typing import Any, Self

import httpx

from support.grpc_client import Client
from support.running import Installation

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

PERMISSIONS = ("MEMBERS_READ", "MEMBERS_INVITE", "MEMBERS_MANAGE", "GROUPS_ALL_WRITE")


def scim_token(client: Client, credential: str, *permissions: str) -> str:
    """Make a token as an administrator does."""
    made = client(
        "ApiKeyService/CreateApiKey",
        credential,
        name="Directory",
        key_type=client.stubs.KEY_TYPE_SCIM_TOKEN,
        permissions=[
            getattr(client.stubs, f"PERMISSION_{name}") for name in permissions or PERMISSIONS
        ],
    )
    return str(made.key)


class Directory:
    """Speaks SCIM with one token."""

    def __init__(self, installation: Installation, token: str) -> None:
        self.url = f"{installation.url}/scim/v2"
        self._client = httpx.Client(
            headers={"authorization": f"Bearer {token}"}, timeout=60, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        if body is not None:
            options["json"] = body
        return self._client.request(method, f"{self.url}/{path}", **options)

    def add(self, user_name: str, **attributes: Any) -> dict[str, Any]:
        """Provision somebody."""
        answer = self("POST", "Users", {"schemas": [USER], "userName": user_name, **attributes})
        assert answer.status_code == 201, answer.text
        added: dict[str, Any] = answer.json()
        return added

    def patch(self, path: str, *operations: dict[str, Any], **options: Any) -> httpx.Response:
        return self("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, **options)

    def found(self, resource: str, filter_: str) -> list[dict[str, Any]]:
        """Return what a filter finds."""
        answer = self("GET", resource, params={"filter": filter_})
        assert answer.status_code == 200, answer.text
        listed: list[dict[str, Any]] = answer.json()["Resources"]
        return listed
