import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0003_lean_beats'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='downloadjob',
            name='job_of_owner',
        ),
        migrations.AlterField(
            model_name='downloadjob',
            name='owner',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='jobs', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='downloadjob',
            index=models.Index(models.F('owner'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='job_newest_of_owner'),
        ),
        migrations.AddIndex(
            model_name='downloadjob',
            index=models.Index(models.F('owner'), models.F('status'), models.OrderBy(models.F('created_at'), descending=True), models.OrderBy(models.F('id'), descending=True), name='job_of_owner_by_status'),
        ),
        migrations.AddIndex(
            model_name='storedfile',
            index=models.Index(models.OrderBy(models.F('file_id'), descending=True), condition=models.Q(('file_id__isnull', False), ('owner', None)), name='file_public'),
        ),
        migrations.AddIndex(
            model_name='storedfile',
            index=models.Index(models.F('owner'), models.OrderBy(models.F('file_id'), descending=True), condition=models.Q(('file_id__isnull', False), ('owner__isnull', False)), name='file_of_owner'),
        ),
    ]
