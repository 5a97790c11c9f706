"""The audit trail: who did what in an organization, and when."""
