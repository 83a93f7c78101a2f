// The peer: one Node process with the most used endpoints of the service.
//
// Everything that it omits makes it faster: no SQL database, and a Redis that writes nothing to disk
// (a power cut loses every accepted job); no check that the files exist; no quota, rate limit,
// idempotency key, history, ETag or access log, and of problem+json only a title. A status comes from
// a cache and may be ten seconds old.
import { createHmac, randomUUID } from "node:crypto";
import { serve } from "@hono/node-server";
import { Queue } from "bullmq";
import { Hono } from "hono";
import { Redis } from "ioredis";
import { connection, QUEUE, userOf } from "./contract.mjs";

const CACHE_SECONDS = 10;
const URL_SECONDS = 600;
const redis = new Redis(connection);
const queue = new Queue(QUEUE, { connection });
const app = new Hono();

app.get("/health", (c) => c.json({ status: "healthy" }));

app.use("/v1/*", async (c, next) => {
  const user = userOf(c.req.header("authorization"));
  if (!user) return c.json({ title: "Unauthorized" }, 401);
  c.set("user", user);
  await next();
});

app.post("/v1/download/initiate", async (c) => {
  const body = await c.req.json().catch(() => null);
  const fileIds = body?.file_ids;
  if (!Array.isArray(fileIds) || !fileIds.length || !fileIds.every(Number.isInteger)) {
    return c.json({ title: "file_ids must be a list of numbers" }, 400);
  }
  const jobId = randomUUID();
  const job = { owner: c.get("user"), fileIds, createdAt: new Date().toISOString() };
  const options = { jobId, attempts: 3, backoff: { type: "exponential", delay: 5000 } };
  await queue.add("bundle", job, options);
  const statusUrl = `/v1/download/status/${jobId}`;
  const response = { jobId, status: "queued", totalFileIds: fileIds.length, statusUrl };
  return c.json(response, 202, { Location: statusUrl, "Retry-After": "3" });
});

app.get("/v1/download/status/:id", async (c) => {
  const id = c.req.param("id");
  const key = `cache:status:${id}`;
  const cached = await redis.get(key);
  const known = cached ? JSON.parse(cached) : await read(id);
  if (!known) return c.json({ title: "Not Found" }, 404);
  if (!cached) await redis.setex(key, CACHE_SECONDS, JSON.stringify(known));
  const { owner, ...status } = known;
  if (owner !== c.get("user")) return c.json({ title: "Forbidden" }, 403);
  if (status.status !== "completed") return c.json(status);
  return c.json({ ...status, downloadUrl: signed(`results/${id}`), expiresIn: URL_SECONDS });
});

async function read(id) {
  const job = await queue.getJob(id);
  if (!job) return null;
  const state = await job.getState();
  return {
    owner: job.data.owner,
    jobId: id,
    status: { waiting: "queued", active: "processing", delayed: "queued" }[state] ?? state,
    progress: job.progress,
    total: job.data.fileIds.length,
    attempts: job.attemptsMade,
    createdAt: job.data.createdAt,
    finishedAt: job.finishedOn ? new Date(job.finishedOn).toISOString() : null,
    fileName: job.returnvalue?.fileName,
    size: job.returnvalue?.size,
  };
}

// Returns something like a presigned URL: one HMAC with a fixed key; S3's signature takes six.
function signed(path) {
  const expires = Math.floor(Date.now() / 1000) + URL_SECONDS;
  const signature = createHmac("sha256", "a key").update(`GET\n${path}\n${expires}`).digest("hex");
  return `http://127.0.0.1:9000/downloads/${path}?X-Amz-Expires=${expires}&X-Amz-Signature=${signature}`;
}

serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.PORT) });
