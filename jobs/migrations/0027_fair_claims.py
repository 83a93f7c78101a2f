"""Jobs are recorded in lanes, and a worker claims the fairest one.

Processes of the previous release still call jobs_submit_1 and jobs_check_1, so these keep their
names, and what those processes do not send has a default.
"""

from importlib import import_module

from django.conf import settings
from django.db import migrations

before = import_module("jobs.migrations.0011_submit")


def or_replace(text):
    return text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


# Returns the lane, and locks it until the transaction ends, so that it is not deleted meanwhile.
LANE = """
CREATE FUNCTION jobs_lane_1(
    its_owner bigint, its_kind text, its_version smallint, its_priority smallint, its_key text
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found_id bigint;
BEGIN
    SELECT id INTO found_id FROM jobs_lane
    WHERE owner_id = its_owner AND kind = its_kind AND priority = its_priority
        AND params_version = its_version AND concurrency_key = its_key
    FOR KEY SHARE;
    IF found_id IS NULL THEN
        INSERT INTO jobs_lane (owner_id, kind, params_version, priority, concurrency_key)
        VALUES (its_owner, its_kind, its_version, its_priority, its_key)
        ON CONFLICT (owner_id, kind, priority, params_version, concurrency_key)
            DO UPDATE SET kind = excluded.kind
        RETURNING id INTO found_id;
    END IF;
    RETURN found_id;
END $$;
"""

# `published_at` is when the job became ready. A doorbell may be early by a quarter of a second.
MAKE_READY = """
CREATE FUNCTION jobs_make_ready_1(ids uuid[]) RETURNS SETOF uuid LANGUAGE sql AS $$
    UPDATE jobs_downloadjob
    SET lane_id = jobs_lane_1(owner_id, kind, params_version, priority, concurrency_key),
        published_at = statement_timestamp()
    WHERE id = ANY (ids) AND status = 'queued' AND NOT held AND lane_id IS NULL
        AND available_at <= statement_timestamp() + interval '250 ms'
    RETURNING id
$$;
"""

# The length of the queue is the number of ready jobs, which have an index.
CHECK = or_replace(before.CHECK).replace(
    "status = 'queued' AND NOT held AND available_at <= statement_timestamp()",
    "status = 'queued' AND lane_id IS NOT NULL",
)

SUBMIT = """
CREATE OR REPLACE FUNCTION jobs_submit_1(
    submission jobs_submission_1, OUT code text, OUT queued bigint, OUT job jobs_downloadjob
) LANGUAGE plpgsql AS $$
DECLARE
    who record;
    checked record;
    is_held boolean := false;
    its_priority smallint;
    lane bigint;
BEGIN
    queued := submission.queued;
    SELECT coalesce(p.email, false) AND u.email <> '' AND submission.mail_is_on AS email,
        coalesce(p.webhook, '') AS webhook,
        coalesce(
            p.most_urgent, CASE WHEN u.is_staff THEN 9 ELSE submission.max_priority END
        ) AS most_urgent
    INTO who
    FROM %(users)s u LEFT JOIN jobs_preferences p ON p.owner_id = u.%(id)s
    WHERE u.%(id)s = submission.owner_id AND (
        submission.password_md5 IS NULL OR u.is_active AND upper(md5(u.password)) = submission.password_md5
    );
    IF NOT FOUND THEN
        code := 'unknown';
        RETURN;
    END IF;

    IF submission.idempotency_key <> '' THEN
        SELECT * INTO job FROM jobs_downloadjob
        WHERE owner_id = submission.owner_id AND idempotency_key = submission.idempotency_key;
        IF FOUND THEN
            code := CASE job.request_hash
                WHEN submission.request_hash THEN 'replayed' ELSE 'reused' END;
            RETURN;
        END IF;
    END IF;

    checked := jobs_check_1(submission);
    queued := checked.queued;
    code := checked.code;
    IF code <> 'new' THEN
        RETURN;
    END IF;

    IF submission.after <> '{}' THEN
        SELECT count(*) > 0 INTO is_held FROM jobs_downloadjob
        WHERE owner_id = submission.owner_id AND id = ANY (submission.after)
            AND status NOT IN ('completed', 'expired');
    END IF;
    its_priority := coalesce(submission.priority, least(submission.usual_priority, who.most_urgent));
    IF NOT is_held AND (submission.run_at IS NULL OR submission.run_at <= statement_timestamp()) THEN
        lane := jobs_lane_1(
            submission.owner_id, submission.kind, coalesce(submission.params_version, 1::smallint),
            its_priority, coalesce(submission.concurrency_key, '')
        );
    END IF;
    INSERT INTO jobs_downloadjob (
        id, owner_id, kind, name, params, priority, run_at, held, email, webhook, request_id,
        idempotency_key, request_hash, status, attempt, failures, losses, available_at,
        published_at, task_id, worker, version, progress, done, total, unit, speed, threads,
        message, metadata, error_code, error, created_at, updated_at,
        params_version, concurrency_key, lane_id
    ) VALUES (
        submission.job_id, submission.owner_id, submission.kind, submission.name, submission.params,
        its_priority,
        CASE WHEN submission.run_at > statement_timestamp() THEN submission.run_at END, is_held,
        coalesce(submission.email, who.email), coalesce(submission.webhook, who.webhook),
        submission.request_id, submission.idempotency_key, submission.request_hash, 'queued', 0, 0, 0,
        greatest(submission.run_at, statement_timestamp()), statement_timestamp(), '', '', 1, 0, 0,
        CASE WHEN is_held AND NOT submission.is_stored THEN NULL ELSE checked.bytes END,
        'bytes', 0, 0, submission.message, '{}', '', '', statement_timestamp(), statement_timestamp(),
        coalesce(submission.params_version, 1), coalesce(submission.concurrency_key, ''), lane
    )
    RETURNING * INTO job;
    IF submission.after <> '{}' THEN
        INSERT INTO jobs_downloadjob_after (from_downloadjob_id, to_downloadjob_id)
        SELECT submission.job_id, id FROM jobs_downloadjob
        WHERE owner_id = submission.owner_id AND id = ANY (submission.after);
    END IF;
    INSERT INTO jobs_jobevent (job_id, at, event, by, attempt, code, detail)
    VALUES (submission.job_id, statement_timestamp(), 'submit', 'owner', 0, '', '');
END $$;
"""

# What may not start now, because it is paused or as many run as may. `kinds` and `kind_limits` are
# the limits of the kinds themselves. A limit of an owner or a key replaces that for each of them.
BLOCKED = """
CREATE FUNCTION jobs_blocked_1(
    kinds text[], kind_limits integer[],
    OUT everything boolean, OUT blocked_kinds text[], OUT blocked_owners bigint[], OUT blocked_keys text[]
) LANGUAGE sql STABLE AS $$
    WITH running AS MATERIALIZED (
        SELECT owner_id, kind, concurrency_key FROM jobs_downloadjob WHERE status = 'processing'
    ), limits AS MATERIALIZED (
        SELECT scope, name, owner_id, max_running, is_paused FROM jobs_queuelimit
    )
    SELECT
        EXISTS (
            SELECT FROM limits
            WHERE scope = 'service' AND (is_paused OR max_running <= (SELECT count(*) FROM running))
        ),
        ARRAY (
            SELECT name FROM limits WHERE scope = 'kind'
                AND (is_paused OR max_running <= (SELECT count(*) FROM running WHERE kind = name))
            UNION
            SELECT own.kind FROM unnest(kinds, kind_limits) AS own (kind, most)
            WHERE own.most <= (SELECT count(*) FROM running WHERE running.kind = own.kind)
        ),
        ARRAY (
            SELECT owner_id::bigint FROM limits WHERE scope = 'owner' AND owner_id IS NOT NULL AND (
                is_paused
                OR max_running <= (SELECT count(*) FROM running WHERE running.owner_id = limits.owner_id)
            )
            UNION
            SELECT owner_id FROM running WHERE owner_id NOT IN (
                SELECT owner_id FROM limits
                WHERE scope = 'owner' AND owner_id IS NOT NULL AND max_running IS NOT NULL
            )
            GROUP BY owner_id
            HAVING count(*) >= (SELECT max_running FROM limits WHERE scope = 'owner' AND owner_id IS NULL)
        ),
        ARRAY (
            SELECT name FROM limits WHERE scope = 'key' AND name <> '' AND (
                is_paused
                OR max_running <= (SELECT count(*) FROM running WHERE concurrency_key = name)
            )
            UNION
            SELECT concurrency_key FROM running WHERE concurrency_key <> '' AND concurrency_key NOT IN (
                SELECT name FROM limits WHERE scope = 'key' AND name <> '' AND max_running IS NOT NULL
            )
            GROUP BY concurrency_key
            HAVING count(*) >= (SELECT max_running FROM limits WHERE scope = 'key' AND name = '')
        )
$$;
"""

# The next job of a queue, locked: the highest priority first, then the owner whose use of the queue
# is behind that of the others. This is start-time fair queueing (Goyal, Vin and Cheng, 1996), with
# each job's tag given when it is claimed, so that a changed weight or limit counts for all that waits.
#
# An owner's tag is what they have used, plus what their running jobs use: their estimates, or their
# running times once these are longer. Who was idle starts at the queue's virtual time, the latest start
# of a job, and is not ahead of others for that. Each job of a lane starts where the one before it
# would end, so that claims at once, each of which skips what another has locked, take turns as well.
# They look at few lanes and few jobs first.
NEXT = """
CREATE FUNCTION jobs_next_1(
    its_queue text, kinds text[], versions smallint[], kind_limits integer[],
    fixed_seconds float8[], unit_seconds float8[],
    OUT job_id uuid, OUT virtual_start float8, OUT estimated_seconds float8
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$  -- planning takes a millisecond
DECLARE
    blocked record;
    its_owner bigint;
    lifted float8;
    -- How far an owner may be behind the virtual time, whose jobs were shorter than estimated, or had
    -- to wait for a limit: then they come first for a while. Who was idle has no row, and no credit.
    max_credit constant float8 := 300;
    most_lanes integer;
BEGIN
    IF EXISTS (SELECT FROM unnest(kind_limits) AS most WHERE most IS NOT NULL)
        OR EXISTS (SELECT FROM jobs_queuelimit WHERE max_running IS NOT NULL)
    THEN
        PERFORM pg_advisory_xact_lock(2, 0);  -- limits are exact: one claim at a time
    END IF;
    SELECT false AS everything, '{}'::text[] AS blocked_kinds, '{}'::bigint[] AS blocked_owners,
        '{}'::text[] AS blocked_keys, true AS nothing INTO blocked;
    IF EXISTS (SELECT FROM jobs_queuelimit)
        OR EXISTS (SELECT FROM unnest(kind_limits) AS most WHERE most IS NOT NULL)
    THEN
        SELECT *, false AS nothing INTO blocked FROM jobs_blocked_1(kinds, kind_limits);
        IF blocked.everything THEN
            RETURN;
        END IF;
    END IF;
    FOREACH most_lanes IN ARRAY ARRAY[8, 200, 100000] LOOP
        WITH running AS MATERIALIZED (
            SELECT job.owner_id, job.virtual_start, greatest(
                job.estimated_seconds, extract(epoch FROM statement_timestamp() - job.started_at)
            ) AS seconds
            FROM jobs_downloadjob AS job
            WHERE job.status = 'processing' AND job.queue = its_queue
        ), clock AS MATERIALIZED (
            SELECT greatest(
                (SELECT max(running.virtual_start) FROM running),
                (SELECT max(started) FROM jobs_queueshare WHERE queue = its_queue),
                0
            ) AS now
        ), busy AS MATERIALIZED (
            SELECT owner_id, sum(seconds) AS seconds FROM running GROUP BY owner_id
        ), best AS MATERIALIZED (
            SELECT lane.id, lane.owner_id, lane.priority, weight.value AS weight, fixed, a_unit,
                used.so_far + busy_for.seconds AS start,
                CASE WHEN used.so_far IS DISTINCT FROM share.used THEN used.so_far END AS lifted
            FROM jobs_lane AS lane
            JOIN unnest(kinds, versions, fixed_seconds, unit_seconds)
                AS known (kind, version, fixed, a_unit)
                ON known.kind = lane.kind AND lane.params_version <= known.version
            CROSS JOIN clock
            LEFT JOIN jobs_queueshare AS share
                ON share.queue = its_queue AND share.owner_id = lane.owner_id
            LEFT JOIN jobs_preferences AS preferences
                ON preferences.owner_id = lane.owner_id AND preferences.weight <> 1
            LEFT JOIN busy ON busy.owner_id = lane.owner_id
            CROSS JOIN LATERAL (SELECT coalesce(preferences.weight, 1) AS value) AS weight
            CROSS JOIN LATERAL (
                SELECT coalesce(busy.seconds, 0) / weight.value AS seconds
            ) AS busy_for
            CROSS JOIN LATERAL (
                SELECT greatest(
                    coalesce(share.used, 0),
                    clock.now - busy_for.seconds
                        - CASE WHEN share.used IS NULL THEN 0 ELSE max_credit END
                ) AS so_far
            ) AS used
            -- The operators keep the planner from guessing that hardly a lane is left.
            WHERE blocked.nothing OR lane.kind || '' <> ALL (blocked.blocked_kinds)
                AND lane.owner_id + 0 <> ALL (blocked.blocked_owners)
                AND lane.concurrency_key || '' <> ALL (blocked.blocked_keys)
            ORDER BY lane.priority DESC, start, lane.id
            LIMIT most_lanes
        ), candidate AS MATERIALIZED (
            SELECT best.id AS lane_id, best.owner_id, best.priority, best.lifted, head.id, head.seconds,
                best.start + coalesce(sum(head.seconds) OVER (
                    PARTITION BY best.id ORDER BY head.available_at, head.id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ), 0) / best.weight AS start
            FROM best CROSS JOIN LATERAL (
                SELECT job.id, job.available_at,
                    best.fixed + coalesce(job.total, 0) * best.a_unit AS seconds
                FROM jobs_downloadjob AS job
                WHERE job.lane_id = best.id AND job.status = 'queued'
                    AND job.available_at <= statement_timestamp() + interval '250 ms'
                ORDER BY job.available_at
                LIMIT least(most_lanes / 2, 64)  -- as many as may be claimed at once
            ) AS head
        )
        SELECT job.id, turn.start, turn.seconds, turn.owner_id, turn.lifted
        INTO job_id, virtual_start, estimated_seconds, its_owner, lifted
        FROM (
            SELECT * FROM candidate ORDER BY priority DESC, start, lane_id
        ) AS turn
        CROSS JOIN LATERAL (  -- locks one row after the other, until it has one
            SELECT locked.id FROM jobs_downloadjob AS locked
            WHERE locked.id = turn.id AND locked.status = 'queued' AND locked.lane_id = turn.lane_id
            FOR UPDATE SKIP LOCKED
        ) AS job
        LIMIT 1;
        EXIT WHEN job_id IS NOT NULL;
    END LOOP;
    IF lifted IS NOT NULL THEN
        INSERT INTO jobs_queueshare (queue, owner_id, used) VALUES (its_queue, its_owner, lifted)
        ON CONFLICT (queue, owner_id) DO UPDATE SET used = excluded.used
            WHERE jobs_queueshare.used < excluded.used;
    END IF;
END $$;
"""

# Jobs that may start now, up to `most`, that have been ready for so long.
READY = """
CREATE FUNCTION jobs_ready_1(
    kinds text[], versions smallint[], kind_limits integer[], for_seconds float8, most integer
) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT head.id
    FROM jobs_blocked_1(kinds, kind_limits) AS blocked
    CROSS JOIN jobs_lane AS lane
    JOIN unnest(kinds, versions) AS known (kind, version)
        ON known.kind = lane.kind AND lane.params_version <= known.version
    CROSS JOIN LATERAL (
        SELECT job.id FROM jobs_downloadjob AS job
        WHERE job.lane_id = lane.id AND job.status = 'queued'
            AND job.available_at <= statement_timestamp()
            AND job.published_at <= statement_timestamp() - make_interval(secs => for_seconds)
        ORDER BY job.available_at
        LIMIT most
    ) AS head
    WHERE NOT blocked.everything
        AND lane.kind <> ALL (blocked.blocked_kinds)
        AND lane.owner_id <> ALL (blocked.blocked_owners)
        AND lane.concurrency_key <> ALL (blocked.blocked_keys)
    LIMIT most
$$;
"""


def replace_submit(apps, schema_editor):
    """Create the function for the project's user model."""
    create_submit(apps, schema_editor, SUBMIT)


def restore_submit(apps, schema_editor):
    create_submit(apps, schema_editor, or_replace(before.SUBMIT))


def create_submit(apps, schema_editor, text):
    users = apps.get_model(settings.AUTH_USER_MODEL)._meta
    quote = schema_editor.quote_name
    schema_editor.execute(text % {"users": quote(users.db_table), "id": quote(users.pk.column)})


class Migration(migrations.Migration):

    dependencies = [
        ("jobs", "0026_lane_indexes"),
    ]

    operations = [
        migrations.RunSQL(LANE, "DROP FUNCTION jobs_lane_1"),
        migrations.RunSQL(MAKE_READY, "DROP FUNCTION jobs_make_ready_1"),
        migrations.RunSQL(
            "ALTER TYPE jobs_submission_1 ADD ATTRIBUTE params_version smallint,"
            " ADD ATTRIBUTE concurrency_key text",
            "ALTER TYPE jobs_submission_1 DROP ATTRIBUTE params_version,"
            " DROP ATTRIBUTE concurrency_key",
        ),
        migrations.RunSQL(CHECK, or_replace(before.CHECK)),
        migrations.RunPython(replace_submit, restore_submit),
        migrations.RunSQL(BLOCKED, "DROP FUNCTION jobs_blocked_1"),
        migrations.RunSQL(NEXT, "DROP FUNCTION jobs_next_1"),
        migrations.RunSQL(READY, "DROP FUNCTION jobs_ready_1"),
    ]
