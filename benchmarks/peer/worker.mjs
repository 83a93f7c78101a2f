// The peer's worker. It only reports completion: nothing is fetched, zipped or stored.
import { Worker } from "bullmq";
import { connection, QUEUE } from "./contract.mjs";

const worker = new Worker(
  QUEUE,
  async (job) => {
    await job.updateProgress(1);
    return { fileName: `${job.data.fileIds.length} files.zip`, size: 1024 };
  },
  { connection, concurrency: 2, lockDuration: 60_000 },
);
worker.on("ready", () => console.log("ready"));
