"""Looking up TXT records, by the machine's name servers or by ones the operator names."""

import ipaddress
from collections.abc import Sequence
from typing import Final, NamedTuple

from pidgr.errors import SetupError

_SECONDS: Final = 5.0
_PORT: Final = 53


class LookupFailedError(Exception):
    """Nobody can say now which records there are."""


class NameServer(NamedTuple):
    """Where a name server answers."""

    address: str
    port: int


class TxtRecords:
    """Asks name servers.

    Args:
        servers: addresses, each with or without a port (``192.0.2.1:5353``, ``[2001:db8::1]:53``);
            none for those the machine uses.

    Raises:
        SetupError: an entry is no address.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._servers = [_server(entry) for entry in servers]

    async def find(self, name: str) -> list[str]:
        """Return the texts of a name's TXT records, none where there is no such name.

        Raises:
            LookupFailedError: no name server answers.
        """
        # 4 MB that only installations with providers need.
        import dns.asyncresolver  # noqa: PLC0415
        import dns.exception  # noqa: PLC0415
        import dns.name  # noqa: PLC0415
        from dns.nameserver import Do53Nameserver  # noqa: PLC0415

        # A resolver that remembers nothing: records change while people set them up.
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = [Do53Nameserver(*server) for server in self._servers]
        try:
            answer = await resolver.resolve(dns.name.from_text(name), "TXT", lifetime=_SECONDS)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise LookupFailedError(f"the name servers cannot be asked for {name}") from error
        return [b"".join(record.strings).decode("ascii", "replace") for record in answer]


def _server(entry: str) -> NameServer:
    try:
        host, port = entry.strip("[]"), _PORT
        ipaddress.ip_address(host)
    except ValueError:
        host, _, digits = entry.rpartition(":")
        host, port = host.strip("[]"), int(digits) if digits.isdecimal() else 0
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise _no_server(entry) from error
    if not 0 < port < 1 << 16:
        raise _no_server(entry)
    return NameServer(host, port)


def _no_server(entry: str) -> SetupError:
    return SetupError(f"{entry!r} is not the address of a name server, such as 192.0.2.1:53")
