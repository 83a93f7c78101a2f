"""Kind: everything that the service knows about one kind of slow work.

A kind is a class with `name`, `label`, `load` and `build`; every other hook has a default. The rest
of the service never names a kind: it looks up the kind of a job in registry.py and calls its hooks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from rest_framework import serializers

from jobs.engine.time_limit import TimeLimit
from jobs.kinds.page_parts import Card, Contents, Remedy, page_curl_json, term_of
from jobs.kinds.param_facts import MAX_SHOWN, param_facts
from jobs.lib.backoff import DELAYS_SECONDS
from jobs.lib.names import safe_name
from jobs.models import DownloadJob, JobRow
from jobs.models.sources import Sources
from jobs.storage import MAX_OBJECT_BYTES
from jobs.workspace import Workspace

JobParams = dict[str, Any]
Body = dict[str, Any]  # a job as JSON
Job = DownloadJob | JobRow


class StatusAddress(NamedTuple):
    """Another address to poll a job at, such as `/status/{}`, which older clients use.

    `body` adds the names that they use for some members. If `is_exclusive`, jobs of other kinds are
    not found there.
    """

    path: str
    body: Callable[[Job, Body], Body]
    is_exclusive: bool = False


class NoParams(serializers.Serializer[Any]):
    """A request without fields of its own."""


class Kind:
    """One kind of slow work. One instance serves all jobs and threads, so it has no state."""

    name: ClassVar[str]  # in the database, the API and the settings
    label: ClassVar[str]  # in lists and filters
    description: str = ""  # a sentence, on the start page, beside the form, and in the API
    # The serializer of what a request may set; the values become `job.params`, as JSON.
    Params: type[serializers.Serializer[Any]] = NoParams
    permission: str = ""  # such as "shop.export_orders": who may request it; empty: everybody
    name_field: str = "name"  # of a request: the file name that its owner chooses

    # The artifact, and what else an attempt stores

    makes_file: bool = True  # if not, its jobs complete without an artifact
    content_type: str = "application/octet-stream"  # unless the builder sets another
    suffix: str = ""  # of the artifact's name
    is_numbered: bool = False  # the artifact gets a file number, so a bundle can include it
    is_stored: bool = False  # the source becomes the artifact, without more storage
    folder: str = "results"  # the key prefix of everything that its attempts store
    roles: Mapping[str, str] = {}  # of the files that it makes beside the artifact, with labels
    files_title: str = "More files"  # above these on the page
    no_files: str = ""  # said there if `notes` explains why there are none

    # The attempts. An attempt is stopped after `time_limit_seconds`, plus one second for each
    # `min_speed` units of work.

    queue: str = settings.QUEUE
    time_limit_seconds: int = settings.JOB_TIME_LIMIT_SECONDS
    min_speed: int = settings.JOB_MIN_SPEED
    max_work: int = MAX_OBJECT_BYTES  # in units, if the total is unknown
    # Seconds before each further attempt, after a failure that may pass; empty: one attempt.
    retry_delays: Sequence[int] = DELAYS_SECONDS
    max_running: int | None = None  # at once, in all workers; None: as many as the workers take
    # Of what requests set. Raise it when a request has something that earlier workers would not
    # understand: they leave such jobs to the new ones, which must understand earlier jobs as well.
    params_version: int = 1
    trusts_total: bool = True  # if not, only completed work extends the time limit
    has_threads: bool = False  # reports the number of its connections as progress

    # Texts. `created`, `finished` and `failed` complete sentences: "Fetched in 3 s", "The file …".

    created: str = "Requested"
    finished: str = "created"
    failed: str = "could not be created"  # without a file, "failed" unless a kind says otherwise
    after_expiry: str = "You can recreate it."
    can_recreate: bool = True  # an expired job can run again
    next_steps: Mapping[str, str] = {}  # what its owner can do, by error code

    # The web

    urlconf: str = ""  # the dotted path of a module with the `urlpatterns` of its pages and API
    api_url_name: str = ""  # of the URL that programs post a request to
    has_form: bool = True  # generated from Params; a kind without a form is not on the start page
    form_url_name: str = ""  # of a page with a form of its own instead
    form_is_private: bool = False  # the values of its form must not get into a URL
    rate: str = "initiate"  # the rate limit that its requests count in, in the setting RATES
    # The dotted path of a view for forms that are posted to /downloads; of one kind at most.
    downloads_post_view: str = ""
    checks: str = ""  # the dotted path of a module with system checks, imported at start

    # The API. If `accepts_json`, requests go to /v1/jobs/{name}. If not, such as those with a file,
    # they only have the kind's own endpoint. If `has_plain_requests`, a native endpoint at
    # `api_url_name` records those that `plain_request` accepts, several at once. Django's view at
    # that URL gets all others.

    accepts_json: bool = True
    has_plain_requests: bool = False
    status_addresses: Sequence[StatusAddress] = ()  # they also have a view
    introduction: str = ""  # a paragraph of the OpenAPI document, as Markdown
    example: JobParams = {}  # of a job in the examples of the OpenAPI document

    def load(self, job: DownloadJob) -> Any:
        """Return what `build` needs, read from the database. Raises a BuildError."""
        raise NotImplementedError

    def build(self, loaded: Any, work: Workspace) -> None:
        """Make the artifact. It uses neither the database nor Celery. Raises a BuildError."""
        raise NotImplementedError

    def default_name(self, params: JobParams) -> str:
        """Return the name of the artifact if the owner did not choose one."""
        return self.label

    def stored_files(self, params: JobParams) -> Sources | None:
        """Return the stored files that a job reads; None for a kind that reads none."""
        return None

    def concurrency_key(self, params: JobParams) -> str:
        """Return what else operators can limit its running jobs by, such as the remote host."""
        return ""

    def depends_on(self, params: JobParams) -> Sequence[UUID]:
        """Return the ids of jobs that must complete first, in addition to those in `after`."""
        return ()

    def may_request(self, user: User | AnonymousUser) -> bool:
        return not self.permission or user.has_perm(self.permission)

    def plain_request(self, data: Any) -> tuple[JobParams, str] | None:
        """Return the params and the name in a request, from its JSON.

        Return None unless a serializer would accept it as it is.
        """
        return None

    def accepted_members(self, params: JobParams) -> Body:
        """Return what the response to a new job has in addition to the job."""
        return {}

    @property
    def request_url_name(self) -> str:
        """The name of the URL that requests are posted to; empty if programs cannot request it."""
        return self.api_url_name or (f"jobs-{self.name}" if self.accepts_json else "")

    @property
    def failed_text(self) -> str:
        return self.failed if self.makes_file or self.failed != Kind.failed else "failed"

    @property
    def time_limit(self) -> TimeLimit:
        longest = self.time_limit_seconds + self.max_work // self.min_speed
        return TimeLimit(self.time_limit_seconds, self.min_speed, longest, self.trusts_total)

    def artifact_name(self, requested: str, params: JobParams) -> str:
        """Return a safe name with the kind's suffix: the requested one, or the default."""
        name = safe_name(requested or self.default_name(params))
        return name if name.lower().endswith(self.suffix) else name + self.suffix

    def describe(self, job: DownloadJob) -> str:
        """Return what the owner requested, such as '7 files as one zip'; may be empty."""
        return self.label

    def summary(self, job: DownloadJob) -> str:
        """Return '7 files as one zip, requested', or 'Uploaded'. A time follows."""
        description = self.describe(job)
        if not description:
            return self.created
        return f"{description[0].upper()}{description[1:]}, {self.created.lower()}"

    def progress_facts(self, job: DownloadJob) -> dict[str, str]:
        """Return what the page lists under Details while the job runs, by term."""
        return {}

    def file_facts(self, job: DownloadJob) -> dict[str, str]:
        """Return what the page lists under Details about the result, by term: what was noted."""
        return {term_of(name): str(value)[:MAX_SHOWN] for name, value in job.metadata.items()}

    def notes(self, job: DownloadJob) -> str:
        """Return what a completed job left out, in sentences."""
        return ""

    @property
    def card(self) -> Card:
        """The kind on the start page."""
        return Card("file", self.label, self.description, self.label)

    def contents(self, job: DownloadJob) -> Contents:
        """Return what the page says about the request."""
        return Contents("The request", facts=param_facts(self.Params().fields, job.params))

    def remedy(self, job: DownloadJob) -> Remedy | None:
        """Return a link to what helps more than a retry.

        Polls call it, so it should read `params`, which can be long, only if it has to.
        """
        return None

    def curl_arguments(self, job: DownloadJob) -> str:
        """Return the arguments of curl that repeat the request; empty if they are too long."""
        return page_curl_json(job.params)

    def picture_shape(self, job: DownloadJob, role: str) -> tuple[int, int] | None:
        """Return the width and height of an attached picture, or their ratio.

        None is for files that pages do not show.
        """
        return None
