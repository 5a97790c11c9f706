"""Who has an active device is asked for a whole audience: the index answers it alone."""

from collections.abc import Sequence

from alembic import op

revision: str = "0030"
down_revision: str | None = "0029"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_index("ix_device_member_key_active", "device", ["member_key", "active"])
    op.drop_index("ix_device_member_key", "device")
