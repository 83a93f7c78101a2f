from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # concurrently: jobs go on being recorded meanwhile

    dependencies = [
        ('jobs', '0035_deletions'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='downloadjob',
            index=models.Index(models.F('deletion'), condition=models.Q(('deletion__isnull', False)), name='job_deleted'),
        ),
        AddIndexConcurrently(
            model_name='storedfile',
            index=models.Index(models.F('deletion'), condition=models.Q(('deletion__isnull', False)), name='file_deleted'),
        ),
    ]
