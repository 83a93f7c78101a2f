# One image for every process. A container runs one of them, set by its command and ROLE:
#   ROLE=web         gunicorn -c python:downloads_project.gunicorn
#   ROLE=worker      celery -A downloads_project worker --without-mingle --without-gossip
#   ROLE=dispatcher  python manage.py dispatcher

FROM python:3.12-slim AS libraries

# Wheels only: they need no compiler, and run no code during installation.
COPY requirements/base.txt /base.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes -r /base.txt


FROM python:3.12-slim

# REMAP_SIGTERM: a stopping worker hands its jobs back in time. Celery's command line reads it before
# it loads the app, so it cannot be set there.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    REMAP_SIGTERM=SIGQUIT

# For previews of videos; without it, videos are stored without previews.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*

# With a numeric id, so that Kubernetes can check that it is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin app
WORKDIR /app
COPY --from=libraries /venv /venv
COPY . .

# Static files are named by their content in production. The settings require these variables; the
# values are for this command only and are not kept in the image.
RUN PRODUCTION=true SECRET_KEY=unused DATABASE_URL=postgresql://unused/unused \
    REDIS_URL=redis://unused S3_ENDPOINT_URL=http://unused BASE_URL=http://unused \
    S3_ACCESS_KEY_ID=unused S3_SECRET_ACCESS_KEY=unused \
    python manage.py collectstatic --noinput

# A new process imports these modules for each uploaded file, and cannot write here.
RUN python -m compileall -q jobs/kinds/upload/previews

# Root owns the code: a process can write only to /tmp.
USER 10001
EXPOSE 8000
CMD ["gunicorn", "-c", "python:downloads_project.gunicorn"]
