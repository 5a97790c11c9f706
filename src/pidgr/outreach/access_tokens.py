"""Access tokens that a service gives this server itself (RFC 6749 4.4, RFC 7523)."""

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.outreach.nudge_http import JsonReply, NudgeHttp, json_reply

# A token is replaced this long before it ends.
_MARGIN: Final = 5 * MINUTE
_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}


class AccessTokens:
    """Asks for a token and keeps it until shortly before its end. Safe to use from several threads.

    Args:
        http: speaks to the service.
        url: of its token endpoint.
        form: returns the request's parameters, at a moment in microseconds.
        clock: tells when a token ends.
        settings: which settings to look at when there is none, for messages.
    """

    def __init__(
        self,
        http: NudgeHttp,
        url: str,
        form: Callable[[int], Mapping[str, str]],
        clock: Clock,
        settings: str,
    ) -> None:
        self._http = http
        self._url = url
        self._form = form
        self._clock = clock
        self._settings = settings
        self._token = ""
        self._renewed_at = 0
        self._asking = threading.Lock()

    def call(
        self, method: str, url: str, document: Mapping[str, object] | None = None
    ) -> JsonReply:
        """Send a JSON document, if any, with a token; one that is refused is not used again.

        Raises:
            UnavailableError: no token, one that is refused, or as for ``NudgeHttp.exchange``.
        """
        token = self.token()
        reply = self._http.call(method, url, document, token=token)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            self.forget(token)
            raise self._http.outage(f"it answered {reply.status}: look at {self._settings}")
        return reply

    def token(self) -> str:
        """Return a token that is good for some minutes.

        Raises:
            UnavailableError: there is none.
        """
        with self._asking:
            now = self._clock.now()
            if now >= self._renewed_at:
                body = urlencode(self._form(now)).encode()
                reply = json_reply(self._http.exchange("POST", self._url, _FORM, body))
                token, seconds = reply.text("access_token"), reply.text("expires_in")
                if reply.status != HTTPStatus.OK or not token:
                    why = reply.code("error") or str(reply.status)
                    raise self._http.outage(f"no token ({why}): look at {self._settings}")
                # Without an end it is asked for anew each time, which is right and slow.
                lifetime = int(seconds) * SECOND if seconds.isdecimal() else 0
                self._token, self._renewed_at = token, now + lifetime - _MARGIN
            return self._token

    def forget(self, refused: str) -> None:
        """Let the next call ask anew, because the service does not take a token any more."""
        with self._asking:
            if self._token == refused:
                self._renewed_at = 0
