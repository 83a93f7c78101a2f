from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):

    atomic = False  # concurrently: jobs go on being recorded meanwhile

    dependencies = [
        ('jobs', '0018_stored_kinds'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='downloadjob',
            index=models.Index(Coalesce('expires_at', 'finished_at'), condition=models.Q(('finished_at__isnull', False)), name='job_over'),
        ),
        AddIndexConcurrently(
            model_name='jobevent',
            index=models.Index(models.F('at'), condition=models.Q(models.Q(('code', ''), _negated=True), models.Q(('detail', ''), _negated=True)), name='event_with_trace'),
        ),
    ]
