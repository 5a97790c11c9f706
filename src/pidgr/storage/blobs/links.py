"""Links to single blobs, good for a while and for whoever has one.

A link names the blob and when it ends and carries a MAC over both, so nothing is stored and no
other blob can be asked for.
"""

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import quote, urlencode

from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.secrets import MasterKey
from pidgr.storage.blobs.port import check_name

PATH: Final = "/files"
"""Under which the server answers links."""

LINK_LIFE: Final = 15 * MINUTE
"""How long what an answer links to can be fetched; ask again for another link."""

_MAC_BYTES: Final = 24


class BlobLinks:
    """Writes and checks links.

    Args:
        master_key: what they are signed with.
        base_url: the public address of this server.
        clock: tells when a link has ended.
    """

    def __init__(self, master_key: MasterKey, base_url: str, clock: Clock) -> None:
        self._key: Final = master_key.derive("blob-link")
        self._base: Final = base_url.rstrip("/") + PATH
        self._clock = clock

    def write(self, name: str, life: int) -> str:
        """Return a link to a blob that ends in ``life`` microseconds, rounded up to a second."""
        ends = -(-(self._clock.now() + life) // SECOND)
        query = urlencode({"ends": ends, "signature": self._signature(check_name(name), ends)})
        return f"{self._base}/{quote(name)}?{query}"

    def is_good(self, name: str, ends: str, signature: str) -> bool:
        """Tell whether a link is one of ours and has not ended."""
        if not ends.isascii() or not ends.isdecimal() or len(ends) > len(str(2**62)):
            return False
        genuine = hmac.compare_digest(
            signature.encode(errors="replace"), self._signature(name, int(ends)).encode()
        )
        return genuine and self._clock.now() < int(ends) * SECOND

    def _signature(self, name: str, ends: int) -> str:
        text = f"{ends}/{name}".encode(errors="replace")
        mac = hashlib.blake2b(text, key=self._key, digest_size=_MAC_BYTES).digest()
        return base64.urlsafe_b64encode(mac).decode()
