"""Names that the store shares with readers that do without SQLAlchemy."""

SCHEMA_REVISION = "0011"
"""The newest migration this bouted knows. Revisions are four digits and only grow."""

DAEMON_LEASE = "daemon"
"""The lease that the one active daemon holds."""

STANDBY_LEASE = "standby"
"""The lease of the daemon that waits for the other one."""
