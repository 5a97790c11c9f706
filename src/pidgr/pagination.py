"""Opaque page tokens: a keyset position, bound to the list, organization and filter it is for."""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.common_pb import Pagination, PaginationMeta
from pidgr.errors import invalid_field
from pidgr.secrets import MasterKey

DEFAULT_PAGE_SIZE: Final = 20
MAXIMUM_PAGE_SIZE: Final = 100
_MAC_BYTES: Final = 12
_NUMBER_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Page:
    """How many rows to return and the position to go on from (empty for the first page)."""

    size: int
    position: tuple[int, ...]


class PageTokens:
    """Writes and reads page tokens."""

    def __init__(self, master_key: MasterKey) -> None:
        self._key = master_key.derive("page-token")

    def read(self, pagination: Pagination | None, scope: str) -> Page:
        """Return the page a request asks for: 20 rows by default, 100 at most.

        Args:
            pagination: the request's field, which may be absent.
            scope: names the list, its organization and its filter.

        Raises:
            InvalidArgumentError: a negative size, or a token that is not ours or not of this scope.
        """
        asked = pagination or Pagination()
        return self.read_fields(asked.page_size, asked.page_token, scope, path="pagination.")

    def read_fields(
        self,
        page_size: int,
        page_token: str,
        scope: str,
        *,
        default: int = DEFAULT_PAGE_SIZE,
        path: str = "",
    ) -> Page:
        """Return the page asked for by two fields, for requests without a Pagination.

        Args:
            page_size: as sent; 0 means the default, and what is above 100 means 100.
            page_token: as sent.
            scope: as for ``read``.
            default: rows of a page when nothing is said.
            path: of the message the fields are in, with its dot.

        Raises:
            InvalidArgumentError: as for ``read``.
        """
        if page_size < 0:
            raise invalid_field(f"{path}page_size", "must not be negative")
        size = min(page_size or default, MAXIMUM_PAGE_SIZE)
        if not page_token:
            return Page(size, ())
        return Page(size, self._decode(page_token, scope, f"{path}page_token"))

    def write(self, scope: str, position: Sequence[int]) -> str:
        """Return the token of a position."""
        payload = struct.pack(f">{len(position)}q", *position)
        return base64.urlsafe_b64encode(self._mac(scope, payload) + payload).rstrip(b"=").decode()

    def meta(
        self, scope: str, page: Page, positions: Sequence[Sequence[int]], total: int
    ) -> PaginationMeta:
        """Return the metadata of a page that was read with one row more than its size.

        Args:
            scope: as for ``read``.
            page: the page that was asked for.
            positions: the keyset positions of all rows read, the extra one included.
            total: rows on all pages.
        """
        more = len(positions) > page.size
        token = self.write(scope, positions[page.size - 1]) if more else ""
        return PaginationMeta(next_page_token=token, total_count=total)

    def _decode(self, token: str, scope: str, path: str) -> tuple[int, ...]:
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        whole = payload and len(payload) % _NUMBER_BYTES == 0
        if not whole or not hmac.compare_digest(mac, self._mac(scope, payload)):
            raise invalid_field(
                path, "is not a token of this list; start again from the first page"
            )
        return struct.unpack(f">{len(payload) // _NUMBER_BYTES}q", payload)

    def _mac(self, scope: str, payload: bytes) -> bytes:
        text = scope.encode() + b"\0" + payload
        return hashlib.blake2b(text, key=self._key, digest_size=_MAC_BYTES).digest()
