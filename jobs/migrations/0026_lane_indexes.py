from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False  # concurrently: jobs go on being recorded meanwhile

    dependencies = [
        ("jobs", "0025_lanes"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='downloadjob',
            index=models.Index(models.F('lane'), models.F('available_at'), condition=models.Q(('lane__isnull', False), ('status', 'queued')), name='job_ready'),
        ),
        AddIndexConcurrently(
            model_name='downloadjob',
            index=models.Index(models.F('available_at'), condition=models.Q(('held', False), ('lane', None), ('status', 'queued')), name='job_to_make_ready'),
        ),
        RemoveIndexConcurrently(
            model_name='downloadjob',
            name='job_due',
        ),
    ]
