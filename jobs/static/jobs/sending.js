// Upload a file: whole, or in parts, which resume where they stopped, even after a reload. Calls
// back to upload.js, which shows the rows.

const PARTS_AT_ONCE = 3;
const MAX_FAILURES = 8; // in a row: about a minute and a half
const MAX_BACKOFF_SECONDS = 15;
const MAX_RETRY_AFTER_SECONDS = 900;
const IDLE_TIMEOUT_MS = 60_000; // without progress
const RESTART = [403, 404, 410]; // the upload is gone, or another user's
const NO_ROOM = ["storage_full", "store_full"]; // a retry does not help soon

class NotSent extends Error {
  constructor(sentence, { status = 0, code = "", wait = 0, passes = false } = {}) {
    super(sentence);
    Object.assign(this, { status, code, wait, passes });
  }
}

const NO_CONNECTION = "No connection.";
const UNREADABLE = "The file could not be read: it is a folder, or it was moved or changed.";

const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";

function refusal(xhr) {
  const { status, response: problem } = xhr;
  const wait = Number(xhr.getResponseHeader("Retry-After"));
  const soon = [408, 409, 429].includes(status) || status >= 500;
  const passes = soon && !NO_ROOM.includes(problem?.code) && wait <= MAX_RETRY_AFTER_SECONDS;
  const sentence = problem?.errors?.[0]?.detail ?? problem?.detail ?? `The service did not accept the file (${status}).`;
  return new NotSent(sentence, { status, code: problem?.code, wait, passes });
}

// XMLHttpRequest, because fetch does not report upload progress.
function request(method, address, { body, headers, signal, onSent = () => {} }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const lost = () => reject(new NotSent(NO_CONNECTION, { passes: true }));
    const stop = () => (xhr.abort(), reject(signal.reason));
    let silent;
    const listen = () => {
      clearTimeout(silent);
      silent = setTimeout(() => (xhr.abort(), lost()), IDLE_TIMEOUT_MS);
    };
    xhr.open(method, address);
    xhr.responseType = "json";
    const ours = { Accept: "application/json", "X-CSRFToken": token(), ...headers };
    for (const [name, value] of Object.entries(ours)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = ({ loaded }) => (listen(), onSent(loaded));
    xhr.onload = () => (xhr.status < 400 ? resolve(xhr) : reject(refusal(xhr)));
    xhr.onerror = lost;
    xhr.onloadend = () => (clearTimeout(silent), signal.removeEventListener("abort", stop));
    signal.throwIfAborted();
    signal.addEventListener("abort", stop);
    listen();
    xhr.send(body);
  });
}

function form(fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return body;
}

// One file on its way. `heard` has `sent(bytes)`, `part(number, total)` and `rests(seconds, why)`,
// of Infinity seconds while there is no network.

class Transfer {
  failures = 0;
  key = `${Date.now()}-${Math.random().toString(36).slice(2)}`; // makes retries idempotent

  constructor(file, address, choices, signal, heard) {
    Object.assign(this, { file, address, choices, signal, heard });
  }

  send(method, address, options = {}) {
    return request(method, address, { signal: this.signal, ...options });
  }

  async withRetries(work) {
    for (;;) {
      await this.check();
      try {
        return await work();
      } catch (error) {
        this.signal.throwIfAborted();
        if (!error.passes) throw error;
        await this.check(); // an unreadable file looks like a connection error
        if (error.code !== "throttled" && navigator.onLine) this.failures += 1;
        if (this.failures > MAX_FAILURES) throw error;
        await this.backOff(error);
      }
    }
  }

  async check() {
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      throw new NotSent(UNREADABLE, { status: 422 });
    }
  }

  backOff(error) {
    const grown = Math.min(2 ** (this.failures - 1), MAX_BACKOFF_SECONDS);
    const seconds = navigator.onLine ? Math.max(error.wait, grown) : Infinity;
    this.heard.rests(seconds, error.message);
    return new Promise((resolve, reject) => {
      const { signal } = this;
      if (seconds < Infinity) setTimeout(resolve, 1000 * seconds);
      if (!error.wait) window.addEventListener("online", resolve, { once: true, signal });
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  whole() {
    return this.withRetries(async () => {
      const body = form({ ...this.choices, file: this.file });
      const headers = { "Idempotency-Key": this.key };
      const onSent = (bytes) => this.heard.sent(Math.min(bytes, this.file.size));
      return (await this.send("POST", this.address, { body, headers, onSent })).response;
    });
  }

  // Each round starts with the parts that the server has, so that none is sent twice.
  async inParts() {
    this.address += "/chunked";
    try {
      return await this.withRetries(async () => {
        const upload = (await this.resume()) ?? (await this.begin());
        this.heard.sent(upload.receivedSize);
        const job = upload.complete ? upload : await this.round(upload);
        forget(this.file);
        return job;
      });
    } catch (error) {
      if (this.signal.aborted) this.giveUp();
      throw error;
    }
  }

  async resume() {
    const id = remembered(this.file);
    if (!id) return null;
    try {
      return (await this.send("GET", `${this.address}/${id}`)).response;
    } catch (error) {
      if (!RESTART.includes(error.status)) throw error;
      return forget(this.file);
    }
  }

  async begin() {
    const { name: fileName, size: totalSize } = this.file;
    const body = JSON.stringify({ ...this.choices, fileName, totalSize });
    const headers = { "Content-Type": "application/json", "Idempotency-Key": this.key };
    const upload = (await this.send("POST", this.address, { body, headers })).response;
    remember(this.file, upload);
    return upload;
  }

  giveUp() {
    const id = remembered(this.file);
    forget(this.file);
    const headers = { "X-CSRFToken": token() };
    if (id) fetch(`${this.address}/${id}`, { method: "DELETE", headers }).catch(() => {});
  }

  async round(upload) {
    const there = new Set(upload.receivedChunks);
    const missing = [...Array(upload.totalChunks).keys()].filter((part) => !there.has(part));
    const total = upload.totalChunks;
    const going = new Map(); // the part -> how much of it has gone
    let [arrived, job, failure] = [upload.receivedSize, null, null];
    const report = () => this.heard.sent([...going.values()].reduce((sum, n) => sum + n, arrived));

    const send = async (part) => {
      const size = Math.min(upload.chunkSize, this.file.size - part * upload.chunkSize);
      const onSent = (bytes) => (going.set(part, Math.min(bytes, size)), report());
      this.heard.part(total - missing.length, total);
      const { status, response } = await this.sendPart(upload, part, size, onSent);
      going.delete(part);
      arrived += size;
      this.failures = 0;
      if (status === 202) job = response;
    };
    const lane = async () => {
      while (missing.length && !failure)
        await send(missing.shift()).catch((error) => (failure ??= error));
    };
    await Promise.all(Array.from({ length: PARTS_AT_ONCE }, lane));
    if (job) return job;
    failure ??= new NotSent("Combining the parts.", { passes: true });
    failure.passes ||= RESTART.includes(failure.status);
    throw failure;
  }

  sendPart({ jobId, totalChunks, chunkSize }, chunkIndex, size, onSent) {
    const begin = chunkIndex * chunkSize;
    const chunk = this.file.slice(begin, begin + size);
    const body = form({ jobId, chunkIndex, totalChunks, chunk });
    return this.send("POST", this.address, { body, onSent });
  }
}

// What was begun, for a page that is loaded anew: by name, size and date, since no page may keep a
// file. A browser that keeps nothing begins again.

const PREFIX = "upload:";
const kept = (() => {
  try {
    return localStorage;
  } catch {
    return null;
  }
})();
const name = ({ name, size, lastModified }) => `${PREFIX}${size}:${lastModified}:${name}`;
const read = (key) => JSON.parse(kept?.getItem(key) ?? "null");

const remembered = (file) => read(name(file))?.jobId;
const forget = (file) => (kept?.removeItem(name(file)), null);
function remember(file, { jobId, expiresAt }) {
  kept?.setItem(name(file), JSON.stringify({ jobId, expiresAt }));
}
for (const key of Object.keys(kept ?? {}))
  if (key.startsWith(PREFIX) && new Date(read(key).expiresAt) < new Date()) kept.removeItem(key);

// `choices` are terms of the job: `email`, `runAt`. Resolves to it; rejects with a NotSent, or with the signal's reason.
globalThis.sendFile = (file, { address, most, choices, signal, heard }) => {
  const transfer = new Transfer(file, address, choices, signal, heard);
  return file.size > most ? transfer.inParts() : transfer.whole();
};
