"""Serves blobs to whoever has a link to one (``pidgr.storage.blobs.links``)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from pidgr.errors import UnavailableError
from pidgr.rpc.limits import Limits
from pidgr.rpc.plain_http import limited
from pidgr.storage.blobs import BlobMissingError, Content
from pidgr.storage.blobs.links import PATH
from pidgr.system import System

_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "png": "image/png",
}
_GONE: Final = "this link is not valid, or not any more; ask for another one"


def file_doors(system: System, limits: Limits) -> list[BaseRoute]:
    """Return the route."""

    async def fetch(request: Request) -> Response:
        name = request.path_params["name"]
        query = request.query_params
        if not system.blob_links.is_good(name, query.get("ends", ""), query.get("signature", "")):
            return _refusal("not_found", _GONE, 404)
        try:
            content = await asyncio.to_thread(system.blobs.get, name)
        except BlobMissingError:
            return _refusal("not_found", _GONE, 404)
        except UnavailableError as error:
            return _refusal("unavailable", error.message, 503)
        file = name.rpartition("/")[2]
        return StreamingResponse(
            _parts(content),
            headers={
                "content-length": str(content.size),
                "content-disposition": f'attachment; filename="{file}"',
                "cache-control": "private, no-store",
                "x-content-type-options": "nosniff",
            },
            media_type=_TYPES.get(file.rpartition(".")[2], "application/octet-stream"),
        )

    return [Route(f"{PATH}/{{name:path}}", limited(limits.documents, fetch), methods=["GET"])]


async def _parts(content: Content) -> AsyncIterator[bytes]:
    with content:
        parts = iter(content)
        while part := await asyncio.to_thread(next, parts, b""):
            yield part


def _refusal(code: str, message: str, status: int) -> Response:
    return JSONResponse(
        {"code": code, "message": message}, status, headers={"cache-control": "no-store"}
    )
