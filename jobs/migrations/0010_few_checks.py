import django.core.validators
import django.db.models.functions.comparison
import django.db.models.lookups
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0009_usage'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='downloadjob',
            name='job_status_known',
        ),
        migrations.RemoveConstraint(
            model_name='downloadjob',
            name='job_processing_has_lease',
        ),
        migrations.RemoveConstraint(
            model_name='downloadjob',
            name='job_completed_has_artifact',
        ),
        migrations.RemoveConstraint(
            model_name='downloadjob',
            name='job_final_has_finished_at',
        ),
        migrations.RemoveConstraint(
            model_name='downloadjob',
            name='job_progress_is_a_share',
        ),
        migrations.RemoveConstraint(
            model_name='downloadjob',
            name='job_priority_in_range',
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='attempt',
            field=models.IntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='done',
            field=models.BigIntegerField(default=0, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='failures',
            field=models.SmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='losses',
            field=models.SmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='priority',
            field=models.SmallIntegerField(default=4),
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='speed',
            field=models.BigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='threads',
            field=models.SmallIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='total',
            field=models.BigIntegerField(null=True, validators=[django.core.validators.MinValueValidator(0)]),
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='version',
            field=models.IntegerField(default=1),
        ),
        migrations.AddConstraint(
            model_name='downloadjob',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('finished_at', None), ('lease_until', None), ('status', 'queued')), models.Q(('finished_at', None), ('lease_until__isnull', False), ('status', 'processing')), models.Q(('finished_at__isnull', False), ('lease_until', None), ('status__in', ['cancelled', 'completed', 'expired', 'failed']), models.Q(models.Q(('status', 'completed'), _negated=True), ('artifact__isnull', False), _connector='OR')), _connector='OR'), name='job_fits_its_status'),
        ),
        migrations.AddConstraint(
            model_name='downloadjob',
            constraint=models.CheckConstraint(condition=models.Q(django.db.models.lookups.GreaterThanOrEqual(django.db.models.functions.comparison.Least('attempt', 'failures', 'losses', 'version', 'done', 'total', 'speed', 'threads', output_field=models.BigIntegerField()), 0), ('priority__gte', 0), ('priority__lte', 9), ('progress__gte', 0), ('progress__lte', 1)), name='job_numbers_in_range'),
        ),
    ]
