from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
    ValidateConstraint,
)
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # concurrently: files go on being recorded meanwhile

    dependencies = [
        ("jobs", "0032_registered_files"),
    ]

    operations = [
        AddConstraintNotValid(
            model_name='storedfile',
            constraint=models.CheckConstraint(condition=models.Q(('owner', None), ('group', None), _connector='OR'), name='file_of_owner_or_group'),
        ),
        ValidateConstraint(
            model_name='storedfile',
            name='file_of_owner_or_group',
        ),
        AddIndexConcurrently(
            model_name='storedfile',
            index=models.Index(models.expressions.OrderBy(models.F('file_id'), descending=True), condition=models.Q(('file_id__isnull', False), ('group', None), ('owner', None)), name='file_of_all'),
        ),
        AddIndexConcurrently(
            model_name='storedfile',
            index=models.Index(models.F('group'), models.expressions.OrderBy(models.F('file_id'), descending=True), condition=models.Q(('file_id__isnull', False), ('group__isnull', False)), name='file_of_group'),
        ),
        RemoveIndexConcurrently(
            model_name='storedfile',
            name='file_public',
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY file_key_in_bucket"
                    " ON jobs_storedfile (key varchar_pattern_ops, bucket varchar_ops)",
                    "DROP INDEX CONCURRENTLY file_key_in_bucket",
                ),
            ],
            state_operations=[
                migrations.AddConstraint(
                    model_name='storedfile',
                    constraint=models.UniqueConstraint(fields=('key', 'bucket'), name='file_key_in_bucket', opclasses=['varchar_pattern_ops', 'varchar_ops']),
                ),
            ],
        ),
        migrations.AlterField(  # the other index is there, so the old one can go
            model_name='storedfile',
            name='key',
            field=models.CharField(max_length=1024),
        ),
    ]
