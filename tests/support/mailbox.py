"""A mailbox that a program outside of this process can look into."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.mail_server import Peer
from support.waiting import until


@contextmanager
def mailbox(peer: Peer) -> Iterator[str]:
    """Serve the code of the one mail that an address has got and nobody has asked for yet."""
    read: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            (email,) = parse_qs(urlsplit(self.path).query)["email"]
            seen = read.get(email, 0)
            until(lambda: len(peer.codes_to(email)) > seen)
            texts = peer.codes_to(email)
            read[email] = len(texts)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(re.findall(r"(?<!\d)\d{6}(?!\d)", texts[-1])[0].encode())

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
