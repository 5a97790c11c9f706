"""What this server tells directories about itself (RFC 7644, section 4)."""

from typing import Any, Final

from scim2_models import (
    AuthenticationScheme,
    Bulk,
    ChangePassword,
    Context,
    ETag,
    Filter,
    Meta,
    Pagination,
    Patch,
    Resource,
    ResourceType,
    Schema,
    ServiceProviderConfig,
    Sort,
)

from pidgr.scim.paging import DEFAULT_COUNT, MOST_RESULTS
from pidgr.scim.payloads import Payload
from pidgr.scim.resources import RESOURCE_TYPES, EnterpriseUser, Group, User

_CONFIG: Final = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST_RESULTS),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=True),
    pagination=Pagination(
        cursor=False,
        index=True,
        default_pagination_method=Pagination.DefaultPaginationMethod.index,
        default_page_size=DEFAULT_COUNT,
        max_page_size=MOST_RESULTS,
    ),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="SCIM token",
            description="A token of ApiKeyService.CreateApiKey, of the type SCIM_TOKEN",
            primary=True,
        )
    ],
)
_SCHEMAS: Final = tuple(
    model.to_schema()
    for model in (User, EnterpriseUser, Group, ServiceProviderConfig, ResourceType, Schema)
)


def config(base: str) -> Payload:
    """Return what is supported."""
    return _show(_CONFIG, f"{base}/ServiceProviderConfig")


def resource_types(base: str) -> list[Payload]:
    """Return the kinds of resources."""
    return [_show(one, f"{base}/ResourceTypes/{one.id}") for one in RESOURCE_TYPES]


def schemas(base: str) -> list[Payload]:
    """Return what the resources consist of."""
    return [_show(one, f"{base}/Schemas/{one.id}") for one in _SCHEMAS]


def _show(resource: Resource[Any], location: str) -> Payload:
    described = resource.model_copy()
    described.meta = Meta(resource_type=type(resource).__name__, location=location)
    return described.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)
