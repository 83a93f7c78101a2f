"""The operations of bundles in the OpenAPI document."""

from __future__ import annotations

from jobs.kinds.bundle.kind import FilesBundle
from jobs.kinds.bundle.response import AcceptedJob
from jobs.web.openapi.decorators import (
    START_PROBLEMS,
    STARTING,
    accepted,
    creating,
    json_body,
    operation,
    response,
)
from jobs.web.openapi.examples import JOB_ID, jobs
from jobs.web.openapi.schema import header
from jobs.web.serializers import JobSerializer, request_of

BODY = json_body(
    request_of(FilesBundle),
    three_files=FilesBundle.example,
    with_a_name_and_a_priority={"file_ids": [70000], "name": "Contracts.zip", "priority": 9},
    the_results_of_other_jobs={"job_ids": [JOB_ID], "name": "Measurements.zip", "email": True},
)
FINISHED = response(JobSerializer, "Finished.", *jobs(JobSerializer, "completed", "failed"))

initiate = creating("initiate", BODY, AcceptedJob)
start = operation(
    "start",
    {200: FINISHED, 202: accepted(AcceptedJob)},
    body=BODY,
    parameters=[*STARTING, header("Location", "The job.", 200)],
    codes=START_PROBLEMS,
)
