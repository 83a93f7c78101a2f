from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0002_idempotency_key'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='downloadjob',
            name='job_lease_over',
        ),
    ]
