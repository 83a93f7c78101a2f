"""A start looks for files of groups only if some files are not public and not the owner's.

What was deleted is not counted any more. Processes of the previous release call the same function.
"""

from importlib import import_module

from django.db import migrations

fair_claims = import_module("jobs.migrations.0027_fair_claims")
registered_files = import_module("jobs.migrations.0032_registered_files")

SEEN = """missing_since IS NULL AND deletion_id IS NULL
                AND (owner_id IS NULL AND group_id IS NULL OR owner_id = submission.owner_id)"""
DECLARED = "    kept_until timestamptz;\n"
COUNTED = """array_agg(made_by_id) FILTER (WHERE made_by_id IS NOT NULL)
        INTO bytes, ids, soonest, makers
"""
COUNTED_TOO = """array_agg(made_by_id) FILTER (WHERE made_by_id IS NOT NULL),
            count(*) FILTER (WHERE file_id = ANY (submission.file_ids))
        INTO bytes, ids, soonest, makers, numbered
"""
READ = """                AND role IN ('upload', 'quarantined');
"""
READ_OF_GROUPS = READ + """
        IF numbered < cardinality(submission.file_ids) THEN
            SELECT bytes + coalesce(sum(size_bytes), 0), ids || array_agg(id),
                least(soonest, min(expires_at))
            INTO bytes, ids, soonest
            FROM jobs_storedfile
            WHERE file_id = ANY (submission.file_ids) AND missing_since IS NULL
                AND deletion_id IS NULL AND (expires_at IS NULL OR expires_at > statement_timestamp())
                AND %(of_groups)s;
        END IF;
"""


def replace_check(apps, schema_editor):
    """Create the function for the groups of the project's user model, if it has groups."""
    of_groups = registered_files.of_groups(apps, schema_editor.quote_name).strip()
    text = fair_claims.or_replace(fair_claims.CHECK).replace(registered_files.SEEN, SEEN)
    if of_groups:
        text = text.replace(DECLARED, f"{DECLARED}    numbered bigint;\n")
        text = text.replace(COUNTED, COUNTED_TOO)
        read = READ_OF_GROUPS % {"of_groups": of_groups.removeprefix("OR ")}
        text = text.replace(READ, read)
    schema_editor.execute(text)


class Migration(migrations.Migration):

    dependencies = [
        ("jobs", "0038_oidc_identity"),
    ]

    operations = [
        migrations.RunPython(replace_check, registered_files.replace_check),
    ]
