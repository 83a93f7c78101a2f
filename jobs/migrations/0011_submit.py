from django.conf import settings
from django.db import migrations

# The functions that jobs/engine/submission_sql.py calls. During a deployment, processes of the previous release
# still call the previous functions. So a change gets a new name, and a later release drops the old one.
#
# In a function Postgres prepares each statement once and runs only those that are needed. A single
# statement for all cases took almost twice as long.
TYPE = """
CREATE TYPE jobs_submission_1 AS (
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

# The bytes that an owner's files, active jobs and uploads use, one job excluded. The file of an upload
# job is stored already, and counted there.
USED = """
CREATE FUNCTION jobs_used_1(submission jobs_submission_1) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((
            SELECT sum(total) FROM jobs_downloadjob
            WHERE owner_id = submission.owner_id AND status IN ('queued', 'processing')
                AND id IS DISTINCT FROM submission.job_id AND unit = 'bytes' AND kind <> 'upload'
        ), 0)
        + coalesce((SELECT stored_bytes FROM jobs_usage WHERE owner_id = submission.owner_id), 0)
        + coalesce((
            SELECT sum(size_bytes) FROM jobs_upload
            WHERE owner_id = submission.owner_id AND touched_at
                >= statement_timestamp() - make_interval(secs => submission.upload_idle_seconds)
        ), 0)
$$;
"""

CHECK = """
CREATE FUNCTION jobs_check_1(
    submission jobs_submission_1, OUT code text, OUT queued bigint, OUT bytes bigint
) LANGUAGE plpgsql AS $$
DECLARE
    active bigint;
    needed bigint;
    ids bigint[];
    makers uuid[];
    soonest timestamptz;
    kept_until timestamptz;
BEGIN
    queued := submission.queued;
    IF submission.reads_files THEN
        SELECT coalesce(sum(size_bytes), 0), array_agg(id), min(expires_at),
            array_agg(made_by_id) FILTER (WHERE made_by_id IS NOT NULL)
        INTO bytes, ids, soonest, makers
        FROM jobs_storedfile
        WHERE file_id = ANY (submission.file_ids) AND (owner_id IS NULL OR owner_id = submission.owner_id)
                AND (expires_at IS NULL OR expires_at > statement_timestamp())
            OR made_by_id = ANY (submission.made_by) AND owner_id = submission.owner_id AND role = 'artifact'
            OR key = submission.received_key AND owner_id = submission.owner_id
                AND role IN ('upload', 'quarantined');
    END IF;

    IF submission.max_active IS NOT NULL THEN
        SELECT count(*) INTO active FROM (
            SELECT FROM jobs_downloadjob
            WHERE owner_id = submission.owner_id AND status IN ('queued', 'processing')
                AND id IS DISTINCT FROM submission.job_id
            LIMIT submission.max_active
        ) AS found;
        IF active >= submission.max_active THEN
            code := 'too_many_active';
            RETURN;
        END IF;
    END IF;
    IF submission.max_bytes IS NOT NULL THEN
        needed := submission.room_bytes + CASE WHEN submission.is_stored THEN 0 ELSE coalesce(bytes, 0) END;
        IF jobs_used_1(submission) + needed > submission.max_bytes THEN
            code := 'storage_full';
            RETURN;
        END IF;
    END IF;
    IF queued IS NULL AND submission.max_queued IS NOT NULL THEN
        SELECT count(*) INTO queued FROM (
            SELECT FROM jobs_downloadjob
            WHERE status = 'queued' AND NOT held AND available_at <= statement_timestamp()
            LIMIT submission.max_queued
        ) AS due;
    END IF;
    IF queued >= submission.max_queued THEN
        code := 'overloaded';
        RETURN;
    END IF;
    code := 'new';

    kept_until := greatest(submission.run_at, statement_timestamp())
        + make_interval(secs => submission.source_kept_seconds);
    -- Jobs before files, the order in which DownloadJob.expire locks them.
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
    submission jobs_submission_1, OUT code text, OUT queued bigint, OUT job jobs_downloadjob
) LANGUAGE plpgsql AS $$
DECLARE
    who record;
    checked record;
    is_held boolean := false;
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
    INSERT INTO jobs_downloadjob (
        id, owner_id, kind, name, params, priority, run_at, held, email, webhook, request_id,
        idempotency_key, request_hash, status, attempt, failures, losses, available_at,
        published_at, task_id, worker, version, progress, done, total, unit, speed, threads,
        message, metadata, error_code, error, created_at, updated_at
    ) VALUES (
        submission.job_id, submission.owner_id, submission.kind, submission.name, submission.params,
        coalesce(submission.priority, least(submission.usual_priority, who.most_urgent)),
        CASE WHEN submission.run_at > statement_timestamp() THEN submission.run_at END, is_held,
        coalesce(submission.email, who.email), coalesce(submission.webhook, who.webhook),
        submission.request_id, submission.idempotency_key, submission.request_hash, 'queued', 0, 0, 0,
        greatest(submission.run_at, statement_timestamp()), statement_timestamp(), '', '', 1, 0, 0,
        CASE WHEN is_held AND NOT submission.is_stored THEN NULL ELSE checked.bytes END,
        'bytes', 0, 0, submission.message, '{}', '', '', statement_timestamp(), statement_timestamp()
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


def create_submit(apps, schema_editor):
    """Create the function for the project's user model."""
    users = apps.get_model(settings.AUTH_USER_MODEL)._meta
    quote = schema_editor.quote_name
    schema_editor.execute(SUBMIT % {'users': quote(users.db_table), 'id': quote(users.pk.column)})


def drop_submit(apps, schema_editor):
    schema_editor.execute('DROP FUNCTION jobs_submit_1')


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0010_few_checks'),
    ]

    operations = [
        migrations.RunSQL(TYPE, 'DROP TYPE jobs_submission_1'),
        migrations.RunSQL(USED, 'DROP FUNCTION jobs_used_1'),
        migrations.RunSQL(CHECK, 'DROP FUNCTION jobs_check_1'),
        migrations.RunPython(create_submit, drop_submit),
    ]
