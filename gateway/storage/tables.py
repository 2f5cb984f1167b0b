"""The tables. Times are Unix milliseconds, as on the provider's wire."""

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
    Column("swept_at", BigInteger),  # set on a tombstone: its urls and objects are gone
    Index("ix_records_created_at", "swept_at", "created_at"),
)

# Which object holds the bytes of which image.
objects = Table(
    "objects",
    metadata,
    Column("task_id", String(128), primary_key=True),
    Column("url_hash", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("head", String(128), nullable=False),  # the first bytes, in hexadecimal: they tell the type
    Column("stored_at", BigInteger, nullable=False),
    Column("own", Boolean, nullable=False, server_default=false()),  # put in here: it could not be fetched again
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

# ObjectStore whose bytes are being deleted.
deletions = Table(
    "deletions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("began_at", BigInteger, nullable=False),
)

# When a chore is due that one process does for all of them.
job_leases = Table(
    "chores",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("due_at", BigInteger, nullable=False),
)

# Quota taken from the day in blocks, so that a call writes nothing.
quotas = Table(
    "quotas",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since the epoch, UTC
    Column("leased", Integer, nullable=False),
)
