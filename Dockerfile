# One image for every process; which one a container is, its command and ROLE say:
#   ROLE=web         gunicorn -c python:downloads_project.gunicorn
#   ROLE=worker      celery -A downloads_project worker --without-mingle --without-gossip
#   ROLE=dispatcher  python manage.py dispatcher

FROM python:3.12-slim AS libraries

# Wheels only: nothing needs a compiler, and no library's code runs while it is installed.
COPY requirements/base.txt /base.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes -r /base.txt


FROM python:3.12-slim

# REMAP_SIGTERM: a worker told to stop hands its jobs back in time. Celery's command line reads it
# before it loads our app, so that setting it there is too late.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    REMAP_SIGTERM=SIGQUIT

# Workers make previews of videos with it; without it, videos are stored as they are.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ffmpeg \
    && rm -rf /var/lib/apt/lists/*

# By number, so that Kubernetes can see that it is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin app
WORKDIR /app
COPY --from=libraries /venv /venv
COPY . .

# Names the static files by their contents, as production serves them. Settings refuse to start
# without these variables; the values are for this command alone and do not stay in the image.
RUN PRODUCTION=true SECRET_KEY=unused DATABASE_URL=postgresql://unused/unused \
    REDIS_URL=redis://unused S3_ENDPOINT_URL=http://unused BASE_URL=http://unused \
    S3_ACCESS_KEY_ID=unused S3_SECRET_ACCESS_KEY=unused \
    python manage.py collectstatic --noinput

# What reads uploaded files is loaded for each of them, by a process that cannot write here.
RUN python -m compileall -q jobs/kinds/upload/previews

# The code stays root's: a process can write to /tmp and nowhere else.
USER 10001
EXPOSE 8000
CMD ["gunicorn", "-c", "python:downloads_project.gunicorn"]
