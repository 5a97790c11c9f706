"""A server that knows its name, which passkeys and pages of ours need."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pidgr.rpc.server import ServerOptions
from support.mail_server import Peer
from support.mailbox import mailbox
from support.mailing import running_with_mail
from support.running import Installation


@contextmanager
def named_server(data_dir: Path, **settings: Any) -> Iterator[tuple[Installation, str]]:
    """Serve at ``localhost``, and return where the codes of its mail can be read."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    peer = Peer()
    with (
        mailbox(peer) as letters,
        running_with_mail(
            peer,
            data_dir,
            ServerOptions(port=port),
            issuer=f"http://localhost:{port}",
            **settings,
        ) as installation,
    ):
        yield installation, letters
