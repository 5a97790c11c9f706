import socket
import threading
from collections.abc import Sequence

import pytest

from pidgr.errors import SetupError
from pidgr.outreach.address_guard import AddressGuard, AddressRefusedError, parse, resolve

PUBLIC = "8.8.8.8"


def answering(*addresses: str, allowed: Sequence[str] = ()) -> AddressGuard:
    return AddressGuard(allowed, resolver=lambda _host: addresses)


def refusal(guard: AddressGuard, url: str, seconds: float = 5.0) -> str:
    with pytest.raises(AddressRefusedError) as raised:
        guard.vet(url, seconds)
    return str(raised.value)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.168.1.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "2606:4700::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ],
)
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    expected = "must not lead to a private, local or reserved address"
    assert refusal(answering(address), "https://hooks.example.com/") == expected
    assert refusal(answering(PUBLIC, address), "https://hooks.example.com/") == expected
    assert refusal(answering(address, PUBLIC), "https://hooks.example.com/") == expected
    if "%" not in address:
        literal = f"[{address}]" if ":" in address else address
        assert refusal(answering(), f"https://{literal}/") == expected


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ],
)
def test_public_addresses_are_accepted_and_pinned(address: str) -> None:
    target = answering(address).vet("https://hooks.example.com/a?b=c")
    assert [*map(socket_address, target.addresses)] == [socket_address(address)]
    assert target.port == 443
    literal = f"[{address}]" if ":" in address else address
    assert answering().vet(f"https://{literal}:8443/").port == 8443


def socket_address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "1.2.3.4.5",
        "10.1.",
        "a.0x",
        "127.0.0.1.",
        "0",
        "017700000001",
        "127.0.0.0x1",
    ],
)
def test_numbers_that_only_some_libraries_read_as_addresses_are_no_hosts(host: str) -> None:
    assert refusal(answering(PUBLIC), f"https://{host}/") == (
        "must have a host name or a plain IP address"
    )


def test_wide_dots_are_read_as_dots() -> None:
    assert "private" in refusal(answering(PUBLIC), "https://127。0。0。1/")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must be an https:// URL with a host"),
        ("hooks.example.com/a", "must be an https:// URL with a host"),
        ("//hooks.example.com/a", "must be an https:// URL with a host"),
        ("https://", "must be an https:// URL with a host"),
        ("https:///path", "must be an https:// URL with a host"),
        ("ftp://hooks.example.com/", "must be an https:// URL with a host"),
        ("file:///etc/passwd", "must be an https:// URL with a host"),
        ("gopher://hooks.example.com/", "must be an https:// URL with a host"),
        ("https://user:word@hooks.example.com/", "must not contain a user name or password"),
        ("https://user@hooks.example.com/", "must not contain a user name or password"),
        ("https://hooks.example.com\\@127.0.0.1/", "must not contain a user name or password"),
        ("https://hooks.example.com:0/", "must have a port between 1 and 65535"),
        ("https://hooks.example.com:65536/", "must have a port between 1 and 65535"),
        ("https://hooks.example.com:x/", "must be a URL"),
        ("https://hooks exa.com/", "must have a host name or a plain IP address"),
        ("https://a%2eb/", "must have a host name or a plain IP address"),
        ("https://0177.0.0.1/", "must be a URL"),
        ("https://256.256.256.256/", "must be a URL"),
        ("https://-a.example.com/", "must have a host name or a plain IP address"),
        ("https://hooks.example.com\n/", "must be a URL"),
        ("https://①②⑦.0.0.1/", "must be a URL"),
        ("http://hooks.example.com/", "must be an https:// URL"),
    ],
)
def test_urls_of_another_form_are_refused(url: str, reason: str) -> None:
    assert refusal(answering(PUBLIC), url) == reason


def test_international_names_are_looked_up_in_their_wire_form() -> None:
    asked: list[str] = []

    def note(host: str) -> list[str]:
        asked.append(host)
        return [PUBLIC]

    AddressGuard(resolver=note).vet("https://BÜCHER.example/")
    assert asked == ["xn--bcher-kva.example"]


def test_the_operators_networks_may_be_called_and_over_http_too() -> None:
    guard = answering("10.1.2.3", allowed=["10.0.0.0/8"])
    assert guard.vet("http://intranet/").addresses == ("10.1.2.3",)
    assert guard.vet("http://10.9.9.9:8080/").port == 8080
    assert answering("::ffff:10.1.2.3", allowed=["10.0.0.0/8"]).vet("https://intranet/")
    assert "private" in refusal(guard, "https://192.168.0.1/")
    mixed = answering("10.1.2.3", "127.0.0.1", allowed=["10.0.0.0/8"])
    assert "private" in refusal(mixed, "https://intranet/")
    half_public = answering("10.1.2.3", PUBLIC, allowed=["10.0.0.0/8"])
    assert half_public.vet("https://intranet/").addresses == ("10.1.2.3", PUBLIC)
    assert refusal(half_public, "http://intranet/") == "must be an https:// URL"


def test_the_operators_host_names_may_be_called_wherever_they_lead() -> None:
    guard = answering("192.168.0.7", allowed=["Hooks.Internal", "::1"])
    assert guard.vet("http://hooks.internal./").addresses == ("192.168.0.7",)
    assert "private" in refusal(guard, "https://other.internal/")
    assert "private" in refusal(guard, "https://sub.hooks.internal/")
    assert guard.vet("http://[::1]/").addresses == ("::1",)


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.1/8", "10.0.0.0/33", "a b", "https://x", "10.1", "*"]
)
def test_a_malformed_entry_of_the_allow_list_is_an_error_at_start(entry: str) -> None:
    with pytest.raises(SetupError, match="is neither a network such as"):
        AddressGuard([entry])


def test_unknown_names_and_names_without_an_address_are_refused() -> None:
    def unknown(_host: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert refusal(AddressGuard(resolver=unknown), "https://nowhere.example/") == (
        "its host name is not known"
    )
    assert refusal(answering(), "https://nowhere.example/") == "its host name has no address"


def test_a_name_server_that_never_answers_does_not_hold_the_caller() -> None:
    released = threading.Event()

    def silent(_host: str) -> list[str]:
        released.wait(60)
        return [PUBLIC]

    guard = AddressGuard(resolver=silent)
    try:
        assert refusal(guard, "https://slow.example/", 0.05) == (
            "its host name could not be looked up in time"
        )
    finally:
        released.set()


def test_the_operating_systems_answers_are_addresses() -> None:
    assert "127.0.0.1" in resolve("localhost") or "::1" in resolve("localhost")
    assert "private" in refusal(AddressGuard(), "https://localhost/")


def test_parsing_looks_nothing_up() -> None:
    assert parse("https://nowhere.invalid/a").host == "nowhere.invalid"
