import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Each statement adds what it changed to its owners' rows, in the order of their ids: so two
# transactions of one statement each cannot wait for each other, however many owners they touch.
#
# An UPDATE has a trigger for each row: triggers with transition tables cannot be limited to columns,
# and most updates of a file only push its expiry out. None changes the files of several owners.
FUNCTIONS = """
CREATE FUNCTION jobs_usage_of_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_usage AS usage (owner_id, stored_bytes)
    SELECT owner_id, sum(size_bytes) FROM new_files
    WHERE owner_id IS NOT NULL GROUP BY owner_id ORDER BY owner_id
    ON CONFLICT (owner_id) DO UPDATE
        SET stored_bytes = usage.stored_bytes + excluded.stored_bytes;
    RETURN NULL;
END $$;

CREATE FUNCTION jobs_usage_of_old() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_usage AS usage (owner_id, stored_bytes)
    SELECT owner_id, -sum(size_bytes) FROM old_files
    WHERE owner_id IS NOT NULL GROUP BY owner_id ORDER BY owner_id
    ON CONFLICT (owner_id) DO UPDATE
        SET stored_bytes = usage.stored_bytes + excluded.stored_bytes;
    RETURN NULL;
END $$;

CREATE FUNCTION jobs_usage_of_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobs_usage AS usage (owner_id, stored_bytes)
    SELECT owner_id, sum(bytes)
    FROM (VALUES (OLD.owner_id, -OLD.size_bytes), (NEW.owner_id, NEW.size_bytes))
        AS change (owner_id, bytes)
    WHERE owner_id IS NOT NULL GROUP BY owner_id ORDER BY owner_id
    ON CONFLICT (owner_id) DO UPDATE
        SET stored_bytes = usage.stored_bytes + excluded.stored_bytes;
    RETURN NULL;
END $$;
"""

# CREATE TRIGGER keeps writers of files waiting until this migration's transaction ends, which makes
# the sums exact. With 1,000,000 files that is about a second.
TRIGGERS = """
CREATE TRIGGER jobs_usage_insert AFTER INSERT ON jobs_storedfile
    REFERENCING NEW TABLE AS new_files
    FOR EACH STATEMENT EXECUTE FUNCTION jobs_usage_of_new();
CREATE TRIGGER jobs_usage_delete AFTER DELETE ON jobs_storedfile
    REFERENCING OLD TABLE AS old_files
    FOR EACH STATEMENT EXECUTE FUNCTION jobs_usage_of_old();
CREATE TRIGGER jobs_usage_update AFTER UPDATE OF owner_id, size_bytes ON jobs_storedfile
    FOR EACH ROW
    WHEN (OLD.owner_id IS DISTINCT FROM NEW.owner_id OR OLD.size_bytes <> NEW.size_bytes)
    EXECUTE FUNCTION jobs_usage_of_change();

INSERT INTO jobs_usage (owner_id, stored_bytes)
SELECT owner_id, sum(size_bytes) FROM jobs_storedfile WHERE owner_id IS NOT NULL GROUP BY owner_id;
"""

NO_TRIGGERS = """
DROP TRIGGER jobs_usage_insert ON jobs_storedfile;
DROP TRIGGER jobs_usage_delete ON jobs_storedfile;
DROP TRIGGER jobs_usage_update ON jobs_storedfile;
"""
NO_FUNCTIONS = """
DROP FUNCTION jobs_usage_of_new();
DROP FUNCTION jobs_usage_of_old();
DROP FUNCTION jobs_usage_of_change();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0008_reports_and_notifications'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Usage',
            fields=[
                ('owner', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('stored_bytes', models.BigIntegerField()),
            ],
            options={
                'verbose_name_plural': 'usage',
            },
        ),
        migrations.RunSQL(FUNCTIONS, NO_FUNCTIONS),
        migrations.RunSQL(TRIGGERS, NO_TRIGGERS),
        migrations.AddIndex(
            model_name='downloadjob',
            index=models.Index(models.F('owner'), condition=models.Q(('status__in', ['processing', 'queued'])), name='job_active'),
        ),
    ]
