"""A server that knows its name, which passkeys and pages of ours need."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pidgr.rpc.server import ServerOptions
from support.mail_server import MailServer, Peer
from support.mailbox import mailbox
from support.running import Installation, running


@contextmanager
def named_server(data_dir: Path, **settings: Any) -> Iterator[tuple[Installation, str]]:
    """Serve at ``localhost``, and return where the codes of its mail can be read."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    peer = Peer()
    with (
        MailServer(peer) as mail,
        mailbox(peer) as letters,
        running(
            data_dir,
            ServerOptions(port=port),
            issuer=f"http://localhost:{port}",
            smtp_url=mail.url(query="?starttls=off"),
            mail_from="Pidgr <no-reply@example.com>",
            **settings,
        ) as installation,
    ):
        yield installation, letters
