import django.core.validators
import django.db.models.deletion
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0024_bulk_actions'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # First, as a request reads preferences before jobs: two locks in another order are a deadlock.
        migrations.AddField(
            model_name='preferences',
            name='weight',
            field=models.FloatField(db_default=1, default=1, help_text='While several owners wait, one with 2 gets twice the worker time of one with 1.', validators=[django.core.validators.MinValueValidator(0.01), django.core.validators.MaxValueValidator(100)], verbose_name='share of the workers'),
        ),
        migrations.AddConstraint(
            model_name='preferences',
            constraint=models.CheckConstraint(condition=models.Q(('weight__gte', 0.01), ('weight__lte', 100)), name='preferences_weight_in_range'),
        ),
        migrations.CreateModel(
            name='Lane',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=50)),
                ('params_version', models.SmallIntegerField()),
                ('priority', models.SmallIntegerField()),
                ('concurrency_key', models.CharField(max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name='QueueLimit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scope', models.CharField(choices=[('service', 'the whole service'), ('kind', 'one kind'), ('owner', 'one owner, or each without a limit of their own'), ('key', 'one concurrency key, such as a remote host, or each without its own limit')], max_length=10)),
                ('name', models.CharField(blank=True, db_default='', max_length=255)),
                ('max_running', models.PositiveIntegerField(blank=True, help_text='Empty: no limit.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('is_paused', models.BooleanField(db_default=False, default=False, verbose_name='paused')),
                ('reason', models.CharField(blank=True, db_default='', help_text='The people who wait read it.', max_length=200)),
                ('changed_at', models.DateTimeField(auto_now=True)),
            ],
        ),
        migrations.CreateModel(
            name='QueueShare',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('queue', models.CharField(max_length=50)),
                ('used', models.FloatField(default=0)),
                ('started', models.FloatField(db_default=0, default=0)),
            ],
        ),
        migrations.AddField(
            model_name='downloadjob',
            name='concurrency_key',
            field=models.CharField(blank=True, db_default='', default='', max_length=255),
        ),
        migrations.AddField(
            model_name='downloadjob',
            name='estimated_seconds',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='downloadjob',
            name='params_version',
            field=models.SmallIntegerField(db_default=1, default=1),
        ),
        migrations.AddField(
            model_name='downloadjob',
            name='queue',
            field=models.CharField(blank=True, db_default='', default='', max_length=50),
        ),
        migrations.AddField(
            model_name='downloadjob',
            name='virtual_start',
            field=models.FloatField(null=True),
        ),
        migrations.AddField(
            model_name='lane',
            name='owner',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='downloadjob',
            name='lane',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='jobs.lane'),
        ),
        migrations.AddField(
            model_name='queuelimit',
            name='owner',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='queueshare',
            name='owner',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='lane',
            constraint=models.UniqueConstraint(fields=('owner', 'kind', 'priority', 'params_version', 'concurrency_key'), name='lane_once'),
        ),
        migrations.AddConstraint(
            model_name='queuelimit',
            constraint=models.UniqueConstraint(models.F('scope'), models.F('name'), django.db.models.functions.comparison.Coalesce('owner', 0), name='queue_limit_once', violation_error_message='There is a row for this already.'),
        ),
        migrations.AddConstraint(
            model_name='queuelimit',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('name', ''), ('owner', None), ('scope', 'service')), models.Q(('owner', None), ('scope', 'kind'), models.Q(('name', ''), _negated=True)), models.Q(('name', ''), ('scope', 'owner')), models.Q(('owner', None), ('scope', 'key')), _connector='OR'), name='queue_limit_fits_its_scope', violation_error_message='The scope and what is limited do not fit together.'),
        ),
        migrations.AddConstraint(
            model_name='queuelimit',
            constraint=models.CheckConstraint(condition=models.Q(('is_paused', False), ('scope__in', ['service', 'kind']), models.Q(('owner__isnull', False), ('scope', 'owner')), models.Q(('scope', 'key'), models.Q(('name', ''), _negated=True)), _connector='OR'), name='queue_limit_pauses_one', violation_error_message='Choose what to pause, or the whole service.'),
        ),
        migrations.AddConstraint(
            model_name='queueshare',
            constraint=models.UniqueConstraint(fields=('queue', 'owner'), name='queue_share_once'),
        ),
    ]
