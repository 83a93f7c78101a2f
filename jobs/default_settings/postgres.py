"""Settings of the connections to Postgres, by the role of the process."""

from __future__ import annotations

from typing import Any

from jobs.lib.postgres.connection import PostgresConnection
from jobs.lib.settings_environment import env

# Decides pools and timeouts.
ROLE = env.choice("ROLE", ["web", "worker", "dispatcher", "command"], "command")

# What a project puts into DATABASES["default"], beside its address

WEB_POOL_CONNECTIONS = 16  # of one web process, at most
WEB_PROCESSES = env.web_processes()
_STATEMENT_SECONDS = {"web": 5, "worker": 30, "dispatcher": 10}.get(ROLE, 0)  # 0: no limit
# A frozen server does not enforce its own limit: then the client times out.
DATABASE_WAIT_SECONDS = _STATEMENT_SECONDS + 3 if _STATEMENT_SECONDS else 0
POSTGRES: dict[str, Any] = {
    "ENGINE": "jobs.lib.postgres",
    # A worker reuses its connection and checks it before each job.
    "CONN_MAX_AGE": 600 if ROLE == "worker" else 0,
    "CONN_HEALTH_CHECKS": ROLE == "worker",
    "OPTIONS": {
        "connect_timeout": 3,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "prepare_threshold": 5,  # for statements that opt in: see postgres/pipeline.py
        "tcp_user_timeout": 20_000,  # ms without an acknowledgement, then the connection is closed
        "options": f"-c statement_timeout={_STATEMENT_SECONDS * 1000} -c lock_timeout=2000"
        " -c idle_in_transaction_session_timeout=15000"
        # For prepared statements: otherwise Postgres plans them each time once tables are large.
        " -c plan_cache_mode=force_generic_plan",
    },
}
if ROLE == "web":
    POSTGRES["OPTIONS"]["pool"] = {
        "connection_class": PostgresConnection,
        "min_size": 1,
        "max_size": WEB_POOL_CONNECTIONS,
        "timeout": 5,
        # The pool doubles its pause between two tries to connect, for this long, and then waits for
        # the next request. So it reconnects within seconds even after a long outage.
        "reconnect_timeout": 4,
    }
# What a project puts into DATABASES["replica"], which polls read, beside its address
REPLICA: dict[str, Any] = POSTGRES | {
    "OPTIONS": POSTGRES["OPTIONS"]
    | {"options": POSTGRES["OPTIONS"]["options"] + " -c default_transaction_read_only=on"},
    "TEST": {"MIRROR": "default"},  # tests have no replica
}
