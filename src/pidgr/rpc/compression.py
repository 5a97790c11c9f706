"""gzip that does not waste time on small answers.

The protocol library compresses every answer once the client accepts it (measured: 11 us on 16
bytes, 120 us on 32 KB). The encoding is announced before the size is known, so small answers are
wrapped as stored gzip blocks, which is a copy.
"""

import gzip
from typing import Final

from connectrpc.compression.gzip import GzipCompression

_SMALLEST_WORTH_COMPRESSING: Final = 1_400
_LEVEL: Final = 1
_STORED: Final = 0


class ThriftyGzip(GzipCompression):
    """gzip whose effort depends on the size: less than one network packet is only wrapped."""

    def compress(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return a valid gzip stream."""
        level = _LEVEL if len(data) >= _SMALLEST_WORTH_COMPRESSING else _STORED
        return gzip.compress(data, compresslevel=level, mtime=0)
