"""When people have signed in at their provider, which may be before they came here by it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    for table in ("sign_in_session", "sign_in_arrival"):
        op.add_column(
            table,
            sa.Column(
                "authenticated_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False
            ),
        )
    # Of a provider's word nobody has asked when it was true.
    op.execute("update sign_in_session set authenticated_at = created_at where method <> 'fed'")
