"""Files can be in other buckets, belong to a group, and be missing.

Processes of the previous release still call jobs_check_1, so it keeps its name. What they insert has
defaults.
"""

from importlib import import_module

import django.db.models.deletion
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import migrations, models

fair_claims = import_module("jobs.migrations.0027_fair_claims")
usage = import_module("jobs.migrations.0009_usage")

SEEN = "(owner_id IS NULL OR owner_id = submission.owner_id)"
SEEN_BY_GROUPS = """missing_since IS NULL
                AND (owner_id IS NULL AND group_id IS NULL OR owner_id = submission.owner_id%s)"""
OF_GROUPS = """
                    OR group_id IN (SELECT %(group)s FROM %(through)s WHERE %(user)s = submission.owner_id)"""

# What is in other buckets uses no storage of the service.
COUNTED = (
    usage.FUNCTIONS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    .replace(
        "WHERE owner_id IS NOT NULL GROUP BY owner_id ORDER BY owner_id\n    ON CONFLICT",
        "WHERE owner_id IS NOT NULL AND bucket = '' GROUP BY owner_id ORDER BY owner_id\n    ON CONFLICT",
    )
    .replace(
        "(OLD.owner_id, -OLD.size_bytes), (NEW.owner_id, NEW.size_bytes))",
        "(OLD.owner_id, -OLD.size_bytes, OLD.bucket), (NEW.owner_id, NEW.size_bytes, NEW.bucket))",
    )
    .replace("AS change (owner_id, bytes)", "AS change (owner_id, bytes, bucket)")
)
ALL_COUNTED = usage.FUNCTIONS.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


def replace_check(apps, schema_editor):
    """Create the function for the groups of the project's user model, if it has groups."""
    seen = SEEN_BY_GROUPS % of_groups(apps, schema_editor.quote_name)
    schema_editor.execute(fair_claims.or_replace(fair_claims.CHECK).replace(SEEN, seen))


def of_groups(apps, quote):
    try:
        groups = apps.get_model(settings.AUTH_USER_MODEL)._meta.get_field("groups")
    except FieldDoesNotExist:
        return ""
    return OF_GROUPS % {
        "group": quote(groups.m2m_reverse_name()),
        "through": quote(groups.m2m_db_table()),
        "user": quote(groups.m2m_column_name()),
    }


def restore_check(apps, schema_editor):
    schema_editor.execute(fair_claims.or_replace(fair_claims.CHECK))


class Migration(migrations.Migration):

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("jobs", "0031_account_mails"),
    ]

    operations = [
        migrations.AddField(
            model_name='storedfile',
            name='bucket',
            field=models.CharField(blank=True, db_default='', default='', max_length=63),
        ),
        migrations.AddField(
            model_name='storedfile',
            name='etag',
            field=models.CharField(blank=True, db_default='', default='', max_length=100),
        ),
        migrations.AddField(
            model_name='storedfile',
            name='missing_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='storedfile',
            name='group',
            field=models.ForeignKey(blank=True, db_index=False, help_text='Only its members see the file.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='auth.group'),
        ),
        migrations.AlterField(
            model_name='storedfile',
            name='owner',
            field=models.ForeignKey(blank=True, help_text='A user: only they see it. Without an owner and a group, everybody does.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='files', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='storedfile',
            name='name',
            field=models.CharField(max_length=1024),
        ),
        migrations.RunSQL(COUNTED, ALL_COUNTED),
        migrations.RunPython(replace_check, restore_check),
    ]
