"""The tables. Times are Unix milliseconds, as in the provider's API."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

records = Table(
    "records",
    metadata,
    Column("task_id", String(128), primary_key=True),
    Column("status", String(32), nullable=False),
    Column("result_urls", JSON(none_as_null=True)),
    Column("created_at", BigInteger, nullable=False),
    Column("completed_at", BigInteger),
    Column("error_code", Integer),
    Column("error_message", Text),
    Column("swept_at", BigInteger),  # set on a tombstone: its URLs and objects are deleted
    Index("ix_records_created_at", "swept_at", "created_at"),
)

# Maps each image (task and URL) to the object with its bytes.
objects = Table(
    "objects",
    metadata,
    Column("task_id", String(128), primary_key=True),
    Column("url_hash", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("head", String(128), nullable=False),  # the first bytes in hexadecimal, for type detection
    Column("stored_at", BigInteger, nullable=False),
    Column("own", Boolean, nullable=False, server_default=false()),  # uploaded, so no origin has it
    Index("ix_objects_digest", "digest"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("scopes", String(128), nullable=False),
    Column("per_minute", Integer, nullable=False),
    Column("per_day", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    UniqueConstraint("digest"),
)

# Objects whose bytes are being deleted.
deletions = Table(
    "deletions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("began_at", BigInteger, nullable=False),
)

# When each periodic job is due; one process runs it for all.
job_leases = Table(
    "chores",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("due_at", BigInteger, nullable=False),
)

# Calls leased from the daily quotas, in blocks, so that few calls write to the database.
quotas = Table(
    "quotas",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since the epoch, UTC
    Column("leased", Integer, nullable=False),
)

# Links that are stored, as those in e-mails are.
links = Table(
    "links",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("task_id", String(128), nullable=False),
    Column("url", Text, nullable=False),
    Column("filename", String(255)),
    Column("mode", String(16)),
    Column("max_downloads", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_links_task_id", "task_id", "created_at", "id"),
    Index("ix_links_expires_at", "expires_at"),
)

# Downloads of stored links: reserved by the button of a link's page, then completed.
link_downloads = Table(
    "link_downloads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("link_id", String(16), nullable=False),
    Column("reserved_until", BigInteger, nullable=False),
    Column("completed_at", BigInteger),
    Index("ix_link_downloads_link_id", "link_id"),
)

revocations = Table(
    "revocations",
    metadata,
    Column("link_id", String(64), primary_key=True),
    Column("revoked_at", BigInteger, nullable=False),
    Index("ix_revocations_revoked_at", "revoked_at"),
)
