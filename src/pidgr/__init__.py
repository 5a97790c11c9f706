"""Pidgr: internal communication that every employee confirms."""

from pkgutil import extend_path

# Clients generated from our protos by other tools import as ``pidgr.v1``; let them live in the
# same environment as the server.
__path__ = extend_path(__path__, __name__)
