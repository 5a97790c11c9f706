"""The resources this server offers over SCIM: of RFC 7643, what a member or a group has.

Attributes that no model declares are passed over when a directory sends them, and so they are not
kept: what nobody needs here is not collected.
"""

from typing import Annotated, Any, Final

from pydantic import Field
from scim2_models import (
    URN,
    CaseExact,
    ComplexAttribute,
    Extension,
    Mutability,
    Reference,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    Uniqueness,
)
from scim2_models.resources.resource import AnyExtension

USER_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_SCHEMA: Final = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

POLICY: Final = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    # Microsoft Entra removes members of groups by value, and changes addresses that are not there.
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


class Name(ComplexAttribute):
    """What a person is called."""

    family_name: str | None = None
    """The family name; UserProfile.last_name."""

    given_name: str | None = None
    """The given name; UserProfile.first_name."""


class Email(ComplexAttribute):
    """An e-mail address."""

    value: Annotated[str | None, Required.true] = None
    """The address."""

    type: str | None = None
    """For example "work"."""

    primary: bool | None = None
    """Whether it is the one that the person signs in with."""


class PhoneNumber(ComplexAttribute):
    """A phone number."""

    value: Annotated[str | None, Required.true] = None
    """The number; UserProfile.phone."""

    type: str | None = None
    """For example "work"."""

    primary: bool | None = None
    """Whether it is the one that counts."""


class GroupMembership(ComplexAttribute):
    """A group that a person is in."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    """Id of the group."""

    ref: Annotated[Reference["Group"] | None, Mutability.read_only] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """Where the group is."""

    display: Annotated[str | None, Mutability.read_only] = None
    """Name of the group."""


class User(Resource[AnyExtension]):
    """A member of the organization."""

    __schema__ = URN(USER_SCHEMA)

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    """What the directory calls the person. It need not be an address."""

    name: Name | None = None
    """The parts of the name."""

    display_name: str | None = None
    """The whole name; User.name."""

    title: str | None = None
    """For example "Vice President"; UserProfile.title."""

    active: Annotated[bool | None, Required.true] = None
    """False shuts the member out. True where a directory does not say."""

    emails: Annotated[list[Email] | None, Required.true] = None
    """Addresses. The primary one, else one of type "work", else the first one is User.email. Where
    a directory gives none, its userName stands in if that is an address."""

    phone_numbers: list[PhoneNumber] | None = None
    """Phone numbers, of which one counts as of addresses."""

    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    """The groups the person is in."""


class Manager(ComplexAttribute):
    """Who a person reports to."""

    value: Annotated[str | None, Required.true, CaseExact.true] = None
    """Id of a User; UserProfile.manager_id."""

    ref: Reference["User"] | None = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    """Where that User is."""


class EnterpriseUser(Extension):
    """What an employer knows of a person."""

    __schema__ = URN(ENTERPRISE_SCHEMA)

    employee_number: str | None = None
    """The number of the person; UserProfile.employee_id."""

    department: str | None = None
    """The department; UserProfile.department."""

    manager: Manager | None = None
    """Who the person reports to."""


class GroupMember(ComplexAttribute):
    """A person in a group."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true, Required.true] = None
    """Id of a User."""

    ref: Annotated[
        Reference["User"] | None,  # type: ignore[type-arg]
        Mutability.immutable,
    ] = Field(None, serialization_alias="$ref", validation_alias="$ref")
    """Where that User is."""

    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])
    """Groups hold people only."""


class Group(Resource[Any]):
    """A group of members, which campaigns can aim at."""

    __schema__ = URN(GROUP_SCHEMA)

    display_name: Annotated[str | None, Required.true, Uniqueness.server] = None
    """The name; no two groups of an organization share one, letter case aside."""

    members: list[GroupMember] | None = None
    """Who is in it."""


ScimUser = User[EnterpriseUser]
"""A User as this server takes and gives it."""

RESOURCE_TYPES: Final = (
    ResourceType.from_resource(ScimUser),
    ResourceType.from_resource(Group),
)
