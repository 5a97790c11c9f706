"""Which addresses outside this server may call: none of our own network, unless allowed.

A tenant who chooses a URL chooses where this server connects to, and must not reach what only it
can reach (server-side request forgery, SEMANTICS 4.6). A host is looked up once, every answer is
judged, and the connection goes to exactly the addresses that were judged (``vetted_http``), so a
name that changes its answer in between gains nothing.
"""

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

import httpx

from pidgr.errors import SetupError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolver = Callable[[str], Sequence[str]]
"""Returns the addresses of a host name, or raises OSError."""

LOOKUP_SECONDS: Final = 5.0

_PORTS: Final = {"https": 443, "http": 80}
_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
# What some libraries read as an IPv4 address: "2130706433", "0x7f.1", "0177.0.0.1".
_ENDS_IN_NUMBER: Final = re.compile(r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$")
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
# Not for the public, though ``is_global`` of some Python version says so.
_REFUSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "100.64.0.0/10",  # carrier-grade NAT
        "168.63.129.16/32",  # a cloud's control channel to its virtual machines
        "192.0.0.0/24",  # protocol assignments
        "192.88.99.0/24",  # 6to4 relays
        "224.0.0.0/4",  # multicast
        "::/96",  # IPv4-compatible
        "::ffff:0:0:0/96",  # IPv4-translated
        "64:ff9b:1::/48",  # translation into a local IPv4 network
        "2001::/32",  # Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fc00::/7",  # unique local
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)


class AddressRefusedError(Exception):
    """This server does not call the URL; the sentence says why and names no inner address."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL with the addresses its host had when it was judged, in the resolver's order."""

    url: httpx.URL
    port: int
    addresses: tuple[str, ...]


def parse(url: str) -> httpx.URL:
    """Return a URL of a form that may be called, whatever its host's addresses.

    Raises:
        AddressRefusedError: not an http(s) URL, a user name in it, or a host that is neither a
            name nor a plain address.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise AddressRefusedError("must be a URL") from error
    if parsed.scheme not in _PORTS or not parsed.host:
        raise AddressRefusedError("must be an https:// URL with a host")
    if parsed.userinfo:
        raise AddressRefusedError("must not contain a user name or password")
    if parsed.port is not None and not 0 < parsed.port < 2**16:
        raise AddressRefusedError("must have a port between 1 and 65535")
    host = _host(parsed)
    if _literal(host) is None and (_ENDS_IN_NUMBER.search(host) or not _NAME.fullmatch(host)):
        raise AddressRefusedError("must have a host name or a plain IP address")
    return parsed


def resolve(host: str) -> list[str]:
    """Return a name's addresses as the operating system knows them."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(answer[4][0]) for answer in found))


class AddressGuard:
    """Judges URLs. Safe to use from several threads.

    Args:
        allowed: CIDR networks, addresses and host names of the operator's own, to which plain
            http is allowed too.
        resolver: how names are looked up.

    Raises:
        SetupError: an entry is neither a network nor a host name.
    """

    def __init__(self, allowed: Iterable[str] = (), resolver: Resolver = resolve) -> None:
        self._resolve = resolver
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for entry in allowed:
            self._allow(entry.lower())

    def _allow(self, entry: str) -> None:
        try:
            self._networks.append(ipaddress.ip_network(entry))
        except ValueError as error:
            if "/" in entry or _NAME.fullmatch(entry) is None or _ENDS_IN_NUMBER.search(entry):
                message = f"{entry!r} is neither a network such as 10.0.0.0/8 nor a host name"
                raise SetupError(message) from error
            self._names.add(entry.removesuffix("."))

    def vet(self, url: str, lookup_seconds: float = LOOKUP_SECONDS) -> Target:
        """Look a URL's host up and return where a connection to it may go. Blocks.

        Raises:
            AddressRefusedError: the URL's form, its host's addresses or the look-up.
        """
        parsed = parse(url)
        host = _host(parsed)
        addresses = self._addresses(host, lookup_seconds)
        own = host.removesuffix(".") in self._names or all(map(self._is_allowed, addresses))
        if not own and not all(self._is_allowed(one) or _is_public(one) for one in addresses):
            raise AddressRefusedError("must not lead to a private, local or reserved address")
        if parsed.scheme != "https" and not own:
            raise AddressRefusedError("must be an https:// URL")
        port = parsed.port or _PORTS[parsed.scheme]
        return Target(parsed, port, tuple(map(str, addresses)))

    def _addresses(self, host: str, seconds: float) -> list[Address]:
        literal = _literal(host)
        if literal is not None:
            return [literal]
        try:
            found = [ipaddress.ip_address(text) for text in self._look_up(host, seconds)]
        except TimeoutError as error:
            raise AddressRefusedError("its host name could not be looked up in time") from error
        except (OSError, UnicodeError) as error:
            raise AddressRefusedError("its host name is not known") from error
        if not found:
            raise AddressRefusedError("its host name has no address")
        return found

    def _look_up(self, host: str, seconds: float) -> Sequence[str]:
        """Resolve in a thread of its own, because the operating system knows no deadline."""
        answer: Future[Sequence[str]] = Future()

        def work() -> None:
            try:
                answer.set_result(self._resolve(host))
            except Exception as error:  # noqa: BLE001 - handed to the waiting thread
                answer.set_exception(error)

        threading.Thread(target=work, name="pidgr-lookup", daemon=True).start()
        return answer.result(timeout=seconds)

    def _is_allowed(self, address: Address) -> bool:
        meant = _meant(address)
        return any(address in network or meant in network for network in self._networks)


def _host(url: httpx.URL) -> str:
    return url.raw_host.decode("ascii").lower()


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one only wraps."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return False
    meant = _meant(address)
    return meant.is_global and not any(meant in network for network in _REFUSED)
