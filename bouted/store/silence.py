"""How long a database server may be silent: each well within the daemon's lease of 15 s.

Standard library only: quick readers use it, too.
"""

LINK = {
    "connect_timeout": 3,  # seconds, per address
    "keepalives": 1,
    "keepalives_idle": 2,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 6000,  # ms: what was sent and is not acknowledged
}
"""What libpq is asked for, unless the URL says otherwise: a host that vanished is noticed after about 6 s."""

STATEMENT_MS = 8000
"""How long the server may work on one statement, or let it wait for a lock."""
