import django.contrib.postgres.indexes
from django.contrib.postgres.operations import TrigramExtension
from django.core.management import CommandError
from django.db import DatabaseError, migrations, models


class Trigrams(TrigramExtension):
    """Makes the extension where it is missing. It stays when the migration is undone."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        try:
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        except DatabaseError as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(
                f"Postgres does not let us make the extension that searches names: {reason}."
                " Have somebody who may run CREATE EXTENSION pg_trgm in this"
                " database, then migrate again."
            ) from error

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        pass


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0004_newest_of_owner'),
    ]

    operations = [
        Trigrams(),
        migrations.AddIndex(
            model_name='storedfile',
            index=django.contrib.postgres.indexes.GinIndex(condition=models.Q(('file_id__isnull', False)), fastupdate=False, fields=['name', 'content_type'], name='file_found', opclasses=['gin_trgm_ops', 'gin_trgm_ops']),
        ),
    ]
