"""One HTTP exchange with a vetted address: no second look-up, no redirect, no proxy, one deadline.

The connection goes to an address the guard has judged, while TLS and the Host header name the URL's
host. Time is bounded as a whole, not per read, so a peer that sends a byte now and then holds
nobody.
"""

import ssl
from collections.abc import Iterator, Mapping
from functools import cached_property

import httpx

from pidgr.outreach.address_guard import Target
from pidgr.outreach.http_reply import ExchangeError, Reply


class VettedHttp:
    """Makes exchanges, each on a connection of its own. Safe to use from several threads.

    Certificates are checked against SSL_CERT_FILE or SSL_CERT_DIR, or the bundled authorities.
    These and the client are loaded for the first exchange: they take 5 MB.
    """

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Made once: loading the authorities takes some 20 ms.
        try:
            return httpx.create_ssl_context()
        except OSError as error:
            raise ExchangeError(
                "the certificate authorities of SSL_CERT_FILE cannot be read"
            ) from error

    def exchange(
        self,
        method: str,
        target: Target,
        *,
        headers: Mapping[str, str],
        content: Iterator[bytes] | None = None,
        seconds: float,
        most_bytes: int,
    ) -> Reply:
        """Send a request and return the answer's status, headers and first bytes.

        Args:
            method: such as ``POST``.
            target: where to, as the guard has judged it.
            headers: beside Host; a body needs its Content-Length here.
            content: the body in parts.
            seconds: for everything together; connecting may take ten of them.
            most_bytes: how much of the answer's body to read; the rest is left.

        Raises:
            ExchangeError: no connection, no answer in time, or not HTTP.
        """
        from pidgr.outreach import pinned_http  # noqa: PLC0415 - see the class

        return pinned_http.exchange(
            method,
            target,
            tls=self._tls,
            headers=headers,
            content=content,
            seconds=seconds,
            most_bytes=most_bytes,
        )
