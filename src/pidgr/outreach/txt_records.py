"""Looking up TXT records, by the machine's name servers or by ones the operator names."""

import ipaddress
from collections.abc import Sequence
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
from dns.nameserver import Do53Nameserver

from pidgr.errors import SetupError

_SECONDS: Final = 5.0
_PORT: Final = 53


class LookupFailedError(Exception):
    """Nobody can say now which records there are."""


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
        try:
            answer = await self._resolver().resolve(
                dns.name.from_text(name), "TXT", lifetime=_SECONDS
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.YXDOMAIN):
            return []
        except (dns.exception.DNSException, OSError) as error:
            raise LookupFailedError(f"the name servers cannot be asked for {name}") from error
        return [b"".join(record.strings).decode("ascii", "replace") for record in answer]

    def _resolver(self) -> dns.asyncresolver.Resolver:
        """Return a resolver that remembers nothing: records change while people set them up."""
        resolver = dns.asyncresolver.Resolver(configure=not self._servers)
        if self._servers:
            resolver.nameservers = list(self._servers)
        return resolver


def _server(entry: str) -> Do53Nameserver:
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
    return Do53Nameserver(host, port)


def _no_server(entry: str) -> SetupError:
    return SetupError(f"{entry!r} is not the address of a name server, such as 192.0.2.1:53")
