"""What is told of a member wherever all that is known of them is told."""

from typing import Final

MEMBER: Final = (
    "id",
    "email",
    "name",
    "status",
    "first_name",
    "last_name",
    "department",
    "title",
    "phone",
    "location",
    "employee_id",
    "manager_name",
    "manager_id",
    "start_date",
    "custom_attributes",
    "data_governance_region",
    "processing_restricted",
    "theme_preference",
    "preferred_locale",
    "passkey_enrolled_at",
    "created_at",
)

# What a directory has said beyond that (SCIM), by SQL over ``scim_user s``.
PROVISIONED: Final = {
    "directory_user_name": "coalesce(s.user_name, '')",
    "directory_external_id": "coalesce(s.external_id, '')",
    "directory_emails": "coalesce(nullif(s.emails, ''), '[]')",
    "directory_phone_numbers": "coalesce(nullif(s.phone_numbers, ''), '[]')",
}
