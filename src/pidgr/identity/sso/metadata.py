"""Fetching and judging a provider's metadata before anything of it is kept."""

import json
from dataclasses import dataclass
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pidgr.clock import Clock
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.errors import invalid_field
from pidgr.identity.sso import oidc_metadata, saml
from pidgr.identity.sso.saml_provider import MetadataError
from pidgr.outreach.address_guard import AddressRefusedError, parse
from pidgr.outreach.fetching import Fetcher, FetchError

_FIELD: Final = "metadata_url"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What is kept of a provider's metadata, as JSON."""

    values: dict[str, Any]

    def stored(self) -> str:
        """Return the stored form."""
        return json.dumps(self.values, separators=(",", ":"))


class MetadataReader:
    """Reads the metadata of both kinds of provider."""

    def __init__(self, fetcher: Fetcher, clock: Clock) -> None:
        self._fetcher = fetcher
        self._clock = clock

    async def read(self, type_: SSOProviderType, url: str) -> Configuration:
        """Return what is at a metadata URL.

        Raises:
            InvalidArgumentError: it cannot be had from there, or is not fit for its purpose.
        """
        try:
            document = await self._fetcher.get(url)
            if type_ == SSOProviderType.OIDC:
                return await self._openid(document, url)
            return await self._saml(document)
        except FetchError as error:
            raise invalid_field(_FIELD, f"cannot be used: {error}") from error
        except (oidc_metadata.MetadataError, MetadataError) as error:
            raise invalid_field(
                _FIELD, f"leads to metadata that cannot be used: {error}"
            ) from error

    async def _openid(self, document: bytes, url: str) -> Configuration:
        provider = oidc_metadata.read(document, url)
        await self._require_address(provider.authorization_endpoint)
        await self._fetcher.vet(provider.token_endpoint)
        if provider.userinfo_endpoint:
            await self._fetcher.vet(provider.userinfo_endpoint)
        keys = await self._fetcher.get(provider.jwks_uri)
        try:
            KeySet.import_key_set(json.loads(keys))
        except (JoseError, ValueError, TypeError, LookupError, RecursionError) as error:
            raise oidc_metadata.MetadataError("its jwks_uri has no keys") from error
        return Configuration(provider.stored())

    async def _saml(self, document: bytes) -> Configuration:
        provider = saml.read_metadata(document, self._clock.now())
        await self._require_address(provider.sign_on_url)
        return Configuration(provider.stored())

    async def _require_address(self, url: str) -> None:
        """Demand https of an address that only browsers go to, or one of the operator's own."""
        try:
            plain = parse(url).scheme != "https"
        except AddressRefusedError as error:
            raise FetchError(f"its address for browsers {error}") from error
        if plain:
            await self._fetcher.vet(url)
