"""The file of a job whose kind has `is_stored` is counted once, whatever the name of the kind.

Processes of the previous release send no `stored_kinds`, and are answered as before.
"""

from django.db import migrations

USED = """
CREATE OR REPLACE FUNCTION jobs_used_1(submission jobs_submission_1) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((
            SELECT sum(total) FROM jobs_downloadjob
            WHERE owner_id = submission.owner_id AND status IN ('queued', 'processing')
                AND id IS DISTINCT FROM submission.job_id AND unit = 'bytes' AND {is_not_stored}
        ), 0)
        + coalesce((SELECT stored_bytes FROM jobs_usage WHERE owner_id = submission.owner_id), 0)
        + coalesce((
            SELECT sum(size_bytes) FROM jobs_upload
            WHERE owner_id = submission.owner_id AND touched_at
                >= statement_timestamp() - make_interval(secs => submission.upload_idle_seconds)
        ), 0)
$$;
"""
BY_ATTRIBUTE = USED.format(is_not_stored="kind <> ALL (coalesce(submission.stored_kinds, '{upload}'))")
BY_NAME = USED.format(is_not_stored="kind <> 'upload'")


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0017_event_at'),
    ]

    operations = [
        migrations.RunSQL(
            "ALTER TYPE jobs_submission_1 ADD ATTRIBUTE stored_kinds text[]",
            "ALTER TYPE jobs_submission_1 DROP ATTRIBUTE stored_kinds",
        ),
        migrations.RunSQL(BY_ATTRIBUTE, BY_NAME),
    ]
