"""Calls the API as a client would: the Connect protocol with JSON."""

import ssl
from types import TracebackType
from typing import Any, Self

import httpx

PAGE: int = 100
# Servers under test speak plain HTTP; a client that loads its own certificates costs 40 ms.
_NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class ApiError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.code = code


class Api:
    """``api("CampaignService/GetCampaign", campaign_id=...)`` with one caller's credential."""

    def __init__(self, url: str, credential: str) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"authorization": f"Bearer {credential}"},
            timeout=60,
            verify=_NO_CERTIFICATES,
            trust_env=False,
        )

    def __call__(self, rpc: str, **fields: Any) -> Any:
        response = self._client.post(f"/pidgr.v1.{rpc}", json=fields)
        if response.is_success:
            return response.json()
        try:
            error = response.json()
        except ValueError:
            error = {}
        raise ApiError(response.status_code, error.get("code", ""), error.get("message", ""))

    def campaign(self, campaign_id: str) -> Any:
        return self("CampaignService/GetCampaign", campaign_id=campaign_id)["campaign"]

    def deliveries(self, campaign_id: str, **fields: Any) -> list[Any]:
        """Every page of ListDeliveries."""
        found: list[Any] = []
        token = ""
        while True:
            page = self(
                "CampaignService/ListDeliveries",
                campaign_id=campaign_id,
                pagination={"pageSize": PAGE, "pageToken": token},
                **fields,
            )
            found += page.get("deliveries", [])
            meta = page.get("paginationMeta", {})
            token = meta.get("nextPageToken", "")
            if not token:
                assert meta.get("totalCount", 0) == len(found)
                return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()
