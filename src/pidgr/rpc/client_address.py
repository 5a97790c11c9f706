"""Who a request comes from, behind proxies too.

``X-Forwarded-For`` is a list every proxy appends its own peer to, and a client may begin it with
whatever it likes. So it is read from its end: each address counts only while the one that reported
it is a proxy we trust.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HEADER: Final = b"x-forwarded-for"
# What one customer of a provider has, and can choose addresses in at will.
_IPV6_SITE_BITS: Final = 64


def client_name(host: str) -> str:
    """Return what a client is counted by: its address, of IPv6 the site it is in."""
    address = _address(host)
    if address is None:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(address), _IPV6_SITE_BITS), strict=False))
    return str(address)


def original_client(peer: str, reported: Iterable[str], trusted: Sequence[Network]) -> str:
    """Return the address the first trusted proxy has seen.

    Args:
        peer: who has opened the connection.
        reported: the values of ``X-Forwarded-For`` in the order they came.
        trusted: networks whose proxies tell the truth about their peers.
    """
    hops = [hop.strip() for value in reported for hop in value.split(",")]
    client = peer
    while hops and _is_within(client, trusted):
        hop = _address(_without_port(hops.pop()))
        if hop is None:
            # Not an address: nobody to hold to account but who passed it on.
            break
        client = str(hop)
    return client


class TrustProxies:
    """Puts the original client into the scope of each request that comes by a trusted proxy."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's lifespan."""
        if scope["type"] == "http" and scope.get("client"):
            peer, port = scope["client"]
            reported = [
                value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER
            ]
            client = original_client(peer, reported, self._trusted)
            if client != peer:
                # The port is the proxy's and says nothing about the client.
                scope = {**scope, "client": (client, 0)}
            else:
                scope = {**scope, "client": (peer, port)}
        await self._app(scope, receive, send)


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _without_port(hop: str) -> str:
    """Some proxies report ``192.0.2.1:5000`` and ``[2001:db8::1]:5000``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_within(host: str, networks: Sequence[Network]) -> bool:
    address = _address(host)
    return address is not None and any(address in network for network in networks)
