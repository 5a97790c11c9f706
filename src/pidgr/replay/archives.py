"""Knows who keeps an organization's recordings."""

from collections.abc import Mapping
from typing import Final

import httpx

from pidgr.errors import SetupError
from pidgr.identity.caller import Caller
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.fetching import Fetcher
from pidgr.replay.archive import LARGEST_RECORDING, Archive
from pidgr.replay.posthog_archive import PostHogArchive
from pidgr.settings import Settings

_SECONDS: Final = 60.0
"""For one answer of PostHog: some megabytes, put together from many files."""


class Archives:
    """Our own archive, and those of organizations that keep their recordings elsewhere."""

    def __init__(self, own: Archive, elsewhere: Mapping[str, PostHogArchive]) -> None:
        self._own = own
        self._elsewhere = elsewhere

    @property
    def elsewhere(self) -> frozenset[str]:
        """The ids of organizations that keep nothing here."""
        return frozenset(self._elsewhere)

    def of(self, caller: Caller) -> Archive:
        """Return the archive of the caller's organization."""
        return self._elsewhere.get(caller.organization_id, self._own)

    def close(self) -> None:
        """Ask nobody any more."""
        for archive in self._elsewhere.values():
            archive.close()


def build_archives(settings: Settings, own: Archive) -> Archives:
    """Return the archives that the settings ask for beside our own.

    Raises:
        SetupError: a part of PostHog's settings is missing, or no URL.
    """
    url = settings.posthog_url
    if not url:
        return Archives(own, {})
    project_id, key = settings.posthog_project_id, settings.posthog_api_key.get_secret_value()
    if not (project_id and key and settings.posthog_organization_id):
        raise SetupError(
            "PIDGR_POSTHOG_URL needs PIDGR_POSTHOG_PROJECT_ID, PIDGR_POSTHOG_API_KEY and "
            "PIDGR_POSTHOG_ORGANIZATION_ID"
        )
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL as error:
        raise SetupError("PIDGR_POSTHOG_URL is not a URL") from error
    # The operator has named it, so it may be anywhere; nothing else is called.
    fetcher = Fetcher(AddressGuard((host,)), seconds=_SECONDS, largest=LARGEST_RECORDING)
    posthog = PostHogArchive(fetcher, url, project_id, key)
    return Archives(own, {settings.posthog_organization_id: posthog})
