"""A name server on a port of this machine, whose zone the test writes."""

import contextlib
from collections.abc import Iterator

from dnslib import QTYPE, RCODE, RR, TXT, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer


class NameServer(BaseResolver):  # type: ignore[misc]
    """Knows TXT records by name; ``broken`` names answer SERVFAIL, others NXDOMAIN."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.broken: set[str] = set()
        self.asked: list[str] = []
        self._server = DNSServer(
            self, port=0, address="127.0.0.1", logger=DNSLogger(log="", prefix=False)
        )
        self.address = f"127.0.0.1:{self._server.server.server_address[1]}"
        self._server.start_thread()

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        del handler
        name = str(request.q.qname).removesuffix(".")
        self.asked.append(name)
        reply = request.reply()
        if name in self.broken:
            reply.header.rcode = RCODE.SERVFAIL
        elif name not in self.records:
            reply.header.rcode = RCODE.NXDOMAIN
        elif request.q.qtype == QTYPE.TXT:
            for text in self.records[name]:
                # Longer texts travel in parts of 255 bytes.
                parts = [text[start : start + 255] for start in range(0, len(text), 255)]
                reply.add_answer(RR(name, QTYPE.TXT, ttl=300, rdata=TXT(parts)))
        return reply

    def stop(self) -> None:
        self._server.stop()
        self._server.server.server_close()


@contextlib.contextmanager
def name_server() -> Iterator[NameServer]:
    server = NameServer()
    try:
        yield server
    finally:
        server.stop()
