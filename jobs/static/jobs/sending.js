// How a file gets to the server: whole, or in parts, which go on where they stopped, even in a page
// that was loaded anew. Knows nothing of rows; upload.js does, and is told what happens on the way.

const PARTS_AT_ONCE = 3;
const MOST_FAILURES = 8; // one after the other: about a minute and a half
const LONGEST_REST_SECONDS = 15;
const LONGEST_WAIT_SECONDS = 900; // that a server may ask for
const SILENCE_MS = 60_000; // in which nothing moves: then the line is dead
const ANEW = [403, 404, 410]; // the upload is not there any more, or was begun by somebody else
const NO_ROOM = ["storage_full", "store_full"]; // which no wait of a minute changes

class NotSent extends Error {
  constructor(sentence, { status = 0, code = "", wait = 0, passes = false } = {}) {
    super(sentence);
    Object.assign(this, { status, code, wait, passes });
  }
}

const NO_CONNECTION = "No connection.";
const UNREADABLE = "This cannot be read: it is a folder, or was moved or changed meanwhile.";

const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1] ?? "";

function refusal(xhr) {
  const { status, response: told } = xhr;
  const wait = Number(xhr.getResponseHeader("Retry-After"));
  const soon = [408, 409, 429].includes(status) || status >= 500;
  const passes = soon && !NO_ROOM.includes(told?.code) && wait <= LONGEST_WAIT_SECONDS;
  const sentence = told?.errors?.[0]?.detail ?? told?.detail ?? `The service does not take it just now (${status}).`;
  return new NotSent(sentence, { status, code: told?.code, wait, passes });
}

// XMLHttpRequest, because fetch does not tell how much of a body has gone.
function request(method, address, { body, headers, signal, onSent = () => {} }) {
  return new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const lost = () => reject(new NotSent(NO_CONNECTION, { passes: true }));
    const stop = () => (xhr.abort(), reject(signal.reason));
    let silent;
    const listen = () => {
      clearTimeout(silent);
      silent = setTimeout(() => (xhr.abort(), lost()), SILENCE_MS);
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

class Way {
  failures = 0;
  key = `${Date.now()}-${Math.random().toString(36).slice(2)}`; // two answers lost are one upload

  constructor(file, address, choices, signal, heard) {
    Object.assign(this, { file, address, choices, signal, heard });
  }

  ask(method, address, options = {}) {
    return request(method, address, { signal: this.signal, ...options });
  }

  async patiently(work) {
    for (;;) {
      await this.check();
      try {
        return await work();
      } catch (error) {
        this.signal.throwIfAborted();
        if (!error.passes) throw error;
        await this.check(); // what cannot be read any more looks like a lost line
        if (error.code !== "throttled" && navigator.onLine) this.failures += 1;
        if (this.failures > MOST_FAILURES) throw error;
        await this.rest(error);
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

  rest(error) {
    const grown = Math.min(2 ** (this.failures - 1), LONGEST_REST_SECONDS);
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
    return this.patiently(async () => {
      const body = form({ ...this.choices, file: this.file });
      const headers = { "Idempotency-Key": this.key };
      const onSent = (bytes) => this.heard.sent(Math.min(bytes, this.file.size));
      return (await this.ask("POST", this.address, { body, headers, onSent })).response;
    });
  }

  // Each round begins with what the server has: nothing is sent twice because an answer was lost.
  async inParts() {
    this.address += "/chunked";
    try {
      return await this.patiently(async () => {
        const upload = (await this.comeBack()) ?? (await this.begin());
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

  async comeBack() {
    const id = remembered(this.file);
    if (!id) return null;
    try {
      return (await this.ask("GET", `${this.address}/${id}`)).response;
    } catch (error) {
      if (!ANEW.includes(error.status)) throw error;
      return forget(this.file);
    }
  }

  async begin() {
    const { name: fileName, size: totalSize } = this.file;
    const body = JSON.stringify({ ...this.choices, fileName, totalSize });
    const headers = { "Content-Type": "application/json", "Idempotency-Key": this.key };
    const upload = (await this.ask("POST", this.address, { body, headers })).response;
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
    const tell = () => this.heard.sent([...going.values()].reduce((sum, n) => sum + n, arrived));

    const send = async (part) => {
      const size = Math.min(upload.chunkSize, this.file.size - part * upload.chunkSize);
      const onSent = (bytes) => (going.set(part, Math.min(bytes, size)), tell());
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
    failure ??= new NotSent("The parts are being put together.", { passes: true });
    failure.passes ||= ANEW.includes(failure.status);
    throw failure;
  }

  sendPart({ jobId, totalChunks, chunkSize }, chunkIndex, size, onSent) {
    const begin = chunkIndex * chunkSize;
    const chunk = this.file.slice(begin, begin + size);
    const body = form({ jobId, chunkIndex, totalChunks, chunk });
    return this.ask("POST", this.address, { body, onSent });
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
  const way = new Way(file, address, choices, signal, heard);
  return file.size > most ? way.inParts() : way.whole();
};
