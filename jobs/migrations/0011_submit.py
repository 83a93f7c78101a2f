from django.db import migrations

# What jobs/submission_sql.py calls. A process of an older release calls what it knows while a new
# one is rolled out: so another signature is another name, and the old one goes a release later.
#
# Functions, since Postgres prepares each of their statements once and runs only those that are
# needed. One large statement for all cases took almost twice as long.
TYPE = """
CREATE TYPE jobs_asked_1 AS (
    owner_id integer, job_id uuid,
    max_active bigint, max_bytes bigint, max_queued bigint, max_priority smallint,
    upload_idle_seconds integer, source_kept_seconds integer, mail_is_on boolean,
    queued bigint, room_bytes bigint,
    reads_files boolean, file_ids integer[], made_by uuid[], received_key text,
    is_stored boolean, run_at timestamptz,
    password_md5 text, kind text, name text, params jsonb, after uuid[],
    priority smallint, email boolean, webhook text,
    request_id text, idempotency_key text, request_hash text,
    message text, usual_priority smallint
);
"""

# What an owner's files, active jobs and uploads take up, without one job. Of an upload the file is
# there already, and counts among the stored ones.
USED = """
CREATE FUNCTION jobs_used_1(asked jobs_asked_1) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((
            SELECT sum(total) FROM jobs_downloadjob
            WHERE owner_id = asked.owner_id AND status IN ('queued', 'processing')
                AND id IS DISTINCT FROM asked.job_id AND unit = 'bytes' AND kind <> 'upload'
        ), 0)
        + coalesce((SELECT stored_bytes FROM jobs_usage WHERE owner_id = asked.owner_id), 0)
        + coalesce((
            SELECT sum(size_bytes) FROM jobs_upload
            WHERE owner_id = asked.owner_id AND touched_at
                >= statement_timestamp() - make_interval(secs => asked.upload_idle_seconds)
        ), 0)
$$;
"""

CHECK = """
CREATE FUNCTION jobs_check_1(
    asked jobs_asked_1, OUT code text, OUT queued bigint, OUT bytes bigint
) LANGUAGE plpgsql AS $$
DECLARE
    active bigint;
    wanted bigint;
    ids bigint[];
    makers uuid[];
    soonest timestamptz;
    kept_until timestamptz;
BEGIN
    queued := asked.queued;
    IF asked.reads_files THEN
        SELECT coalesce(sum(size_bytes), 0), array_agg(id), min(expires_at),
            array_agg(made_by_id) FILTER (WHERE made_by_id IS NOT NULL)
        INTO bytes, ids, soonest, makers
        FROM jobs_storedfile
        WHERE file_id = ANY (asked.file_ids) AND (owner_id IS NULL OR owner_id = asked.owner_id)
                AND (expires_at IS NULL OR expires_at > statement_timestamp())
            OR made_by_id = ANY (asked.made_by) AND owner_id = asked.owner_id AND role = 'artifact'
            OR key = asked.received_key AND owner_id = asked.owner_id
                AND role IN ('upload', 'quarantined');
    END IF;

    IF asked.max_active IS NOT NULL THEN
        SELECT count(*) INTO active FROM (
            SELECT FROM jobs_downloadjob
            WHERE owner_id = asked.owner_id AND status IN ('queued', 'processing')
                AND id IS DISTINCT FROM asked.job_id
            LIMIT asked.max_active
        ) AS found;
        IF active >= asked.max_active THEN
            code := 'too_many_active';
            RETURN;
        END IF;
    END IF;
    IF asked.max_bytes IS NOT NULL THEN
        wanted := asked.room_bytes + CASE WHEN asked.is_stored THEN 0 ELSE coalesce(bytes, 0) END;
        IF jobs_used_1(asked) + wanted > asked.max_bytes THEN
            code := 'storage_full';
            RETURN;
        END IF;
    END IF;
    IF queued IS NULL AND asked.max_queued IS NOT NULL THEN
        SELECT count(*) INTO queued FROM (
            SELECT FROM jobs_downloadjob
            WHERE status = 'queued' AND NOT held AND available_at <= statement_timestamp()
            LIMIT asked.max_queued
        ) AS due;
    END IF;
    IF queued >= asked.max_queued THEN
        code := 'overloaded';
        RETURN;
    END IF;
    code := 'new';

    kept_until := greatest(asked.run_at, statement_timestamp())
        + make_interval(secs => asked.source_kept_seconds);
    -- The jobs that made a source, too; and they first, as DownloadJob.expire locks them.
    IF makers IS NOT NULL THEN
        UPDATE jobs_downloadjob SET expires_at = kept_until
        WHERE id = ANY (makers) AND status = 'completed' AND expires_at < kept_until;
    END IF;
    IF soonest < kept_until THEN
        UPDATE jobs_storedfile SET expires_at = kept_until
        WHERE id = ANY (ids) AND expires_at < kept_until;
    END IF;
END $$;
"""

SUBMIT = """
CREATE FUNCTION jobs_submit_1(
    asked jobs_asked_1, OUT code text, OUT queued bigint, OUT job jobs_downloadjob
) LANGUAGE plpgsql AS $$
DECLARE
    who record;
    checked record;
    is_held boolean := false;
BEGIN
    queued := asked.queued;
    SELECT coalesce(p.email, false) AND u.email <> '' AND asked.mail_is_on AS email,
        coalesce(p.webhook, '') AS webhook,
        coalesce(
            p.most_urgent, CASE WHEN u.is_staff THEN 9 ELSE asked.max_priority END
        ) AS most_urgent
    INTO who
    FROM auth_user u LEFT JOIN jobs_preferences p ON p.owner_id = u.id
    WHERE u.id = asked.owner_id AND (
        asked.password_md5 IS NULL OR u.is_active AND upper(md5(u.password)) = asked.password_md5
    );
    IF NOT FOUND THEN
        code := 'unknown';
        RETURN;
    END IF;

    IF asked.idempotency_key <> '' THEN
        SELECT * INTO job FROM jobs_downloadjob
        WHERE owner_id = asked.owner_id AND idempotency_key = asked.idempotency_key;
        IF FOUND THEN
            code := CASE job.request_hash
                WHEN asked.request_hash THEN 'replayed' ELSE 'reused' END;
            RETURN;
        END IF;
    END IF;

    checked := jobs_check_1(asked);
    queued := checked.queued;
    code := checked.code;
    IF code <> 'new' THEN
        RETURN;
    END IF;

    IF asked.after <> '{}' THEN
        SELECT count(*) > 0 INTO is_held FROM jobs_downloadjob
        WHERE owner_id = asked.owner_id AND id = ANY (asked.after)
            AND status NOT IN ('completed', 'expired');
    END IF;
    INSERT INTO jobs_downloadjob (
        id, owner_id, kind, name, params, priority, run_at, held, email, webhook, request_id,
        idempotency_key, request_hash, status, attempt, failures, losses, available_at,
        published_at, task_id, worker, version, progress, done, total, unit, speed, threads,
        message, metadata, error_code, error, created_at, updated_at
    ) VALUES (
        asked.job_id, asked.owner_id, asked.kind, asked.name, asked.params,
        coalesce(asked.priority, least(asked.usual_priority, who.most_urgent)),
        CASE WHEN asked.run_at > statement_timestamp() THEN asked.run_at END, is_held,
        coalesce(asked.email, who.email), coalesce(asked.webhook, who.webhook),
        asked.request_id, asked.idempotency_key, asked.request_hash, 'queued', 0, 0, 0,
        greatest(asked.run_at, statement_timestamp()), statement_timestamp(), '', '', 1, 0, 0,
        CASE WHEN is_held AND NOT asked.is_stored THEN NULL ELSE checked.bytes END,
        'bytes', 0, 0, asked.message, '{}', '', '', statement_timestamp(), statement_timestamp()
    )
    RETURNING * INTO job;
    IF asked.after <> '{}' THEN
        INSERT INTO jobs_downloadjob_after (from_downloadjob_id, to_downloadjob_id)
        SELECT asked.job_id, id FROM jobs_downloadjob
        WHERE owner_id = asked.owner_id AND id = ANY (asked.after);
    END IF;
    INSERT INTO jobs_jobevent (job_id, at, event, by, attempt, code, detail)
    VALUES (asked.job_id, statement_timestamp(), 'submit', 'owner', 0, '', '');
END $$;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0010_few_checks'),
    ]

    operations = [
        migrations.RunSQL(TYPE, 'DROP TYPE jobs_asked_1'),
        migrations.RunSQL(USED, 'DROP FUNCTION jobs_used_1'),
        migrations.RunSQL(CHECK, 'DROP FUNCTION jobs_check_1'),
        migrations.RunSQL(SUBMIT, 'DROP FUNCTION jobs_submit_1'),
    ]
