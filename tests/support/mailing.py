"""A server that sends its mail to a mail server of the test."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pidgr.rpc.server import ServerOptions
from support.mail_server import MailServer, Peer
from support.running import Installation, running


@contextmanager
def running_with_mail(
    peer: Peer, data_dir: Path, options: ServerOptions | None = None, **settings: Any
) -> Iterator[Installation]:
    """Serve as ``running`` does, with mail that ``peer`` receives."""
    with (
        MailServer(peer) as mail,
        running(
            data_dir,
            options,
            smtp_url=mail.url(query="?starttls=off"),
            mail_from="Pidgr <no-reply@example.com>",
            **settings,
        ) as installation,
    ):
        yield installation
