"""Every table. Ids the API shows are UUID text, joins use integer keys, times are microseconds.

Why text, integers and microseconds on both databases: docs/decisions/0003-portable-columns.md.
"""

from pidgr.storage.schema import (
    audit,
    campaigns,
    content,
    directory,
    heatmaps,
    identity,
    installation,
    oauth,
    passkeys,
    privacy,
    replay,
    scim,
    sso,
)
from pidgr.storage.schema.columns import metadata

__all__ = [
    "audit",
    "campaigns",
    "content",
    "directory",
    "heatmaps",
    "identity",
    "installation",
    "metadata",
    "oauth",
    "passkeys",
    "privacy",
    "replay",
    "scim",
    "sso",
]
