"""SCIM 2.0 (RFC 7643, RFC 7644): a directory keeps the members and groups of an organization."""
