// The upload page: dropped or chosen files, a row for each while it is sent, at most three at once.
// After that the row comes from the server and polls like any other.

const AT_ONCE = 3;
const DRAWN_EVERY_MS = 400;
const SPEED_OVER_MS = 5_000;
const FINAL = [400, 413, 415, 422]; // a retry does not help
const SIGNED_OUT = [401, 403];
const SIGN_IN = "You're signed out. Sign in again in another tab, then upload it again here.";
const NOTHING_KEPT = "No file was kept.";
const NO_JOB = "00000000-0000-0000-0000-000000000000";

const zone = document.getElementById("drop");
const input = zone.elements.file;
const choose = zone.querySelector("[data-choose]");
const list = document.getElementById("sent");
const template = document.getElementById("sending");
const usualTitle = document.title;
const waiting = [];
const sending = new Set();

function timeOf(seconds) {
  if (seconds < 60) return `${Math.max(Math.round(seconds), 1)}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes}\u00a0min`;
  return `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`;
}

const span = (textContent) => Object.assign(document.createElement("span"), { textContent });
const say = (text) => (document.getElementById("said").textContent = text);

// A row, in the shape of _row.html. `look` is one of the states there.

class Row {
  constructor(file, choices) {
    Object.assign(this, { file, choices });
    this.item = template.content.firstElementChild.cloneNode(true);
    for (const part of this.all("[data-name]")) part.textContent = file.name;
    this.one("progress").setAttribute("aria-label", `Progress of ${file.name}`);
    this.one("time").dateTime = new Date().toISOString();
    this.one("[data-cancel]").addEventListener("click", () => this.cancel());
    this.one("[data-again]").addEventListener("click", () => (enqueue(this), next()));
  }

  all(selector) {
    return this.item.querySelectorAll(selector);
  }

  one(selector) {
    return this.item.querySelector(selector);
  }

  show(look, word, facts, { again = false, cancel = false, countdown } = {}) {
    const hadFocus = this.item.contains(document.activeElement);
    this.item.className = `job is-${look}`;
    this.one("[data-shape]").toggleAttribute("hidden", look === "working");
    this.one("[data-ring]").toggleAttribute("hidden", look !== "working");
    this.one("use").setAttribute("href", `#${look}`);
    this.one("[data-word]").textContent = word;
    if (countdown) this.one("[data-word]").append(" in ", this.countdown(countdown));
    const spans = facts.flatMap((fact) => [" ", span(fact)]);
    this.one(".facts").replaceChildren(this.one("[data-word]"), ...spans);
    this.one("[data-again]").hidden = !again;
    this.one("[data-cancel]").hidden = !cancel;
    this.one(".bar").hidden = !cancel;
    if (hadFocus && !cancel) (again ? this.one("[data-again]") : choose).focus();
  }

  countdown(seconds) {
    const left = span(timeOf(seconds));
    left.dataset.countdown = seconds;
    return left;
  }

  wait() {
    this.draw(0);
    this.show("queued", "Queued", ["starts when another upload finishes"], { cancel: true });
  }

  begin() {
    this.stopper = new AbortController();
    this.samples = [];
    this.sent = 0;
    this.facts = [];
    this.showSending();
  }

  showSending() {
    this.rests = false;
    this.show("working", "Uploading", this.facts, { cancel: true });
  }

  // Callbacks of sending.js.
  get heard() {
    return {
      sent: (bytes) => {
        this.sent = bytes;
        if (this.rests) this.showSending();
      },
      part: (number, total) => {
        this.facts = [`Part ${number} of ${total}`];
        this.showSending();
      },
      rests: (seconds, why) => {
        this.rests = true;
        this.samples = [];
        const soon = seconds < Infinity;
        const reason = why.replace(/\.$/, "");
        const facts = soon ? [reason] : [reason, "continues automatically"];
        const countdown = soon ? seconds : 0;
        this.show("waiting", soon ? "Retrying" : "Waiting", facts, { cancel: true, countdown });
      },
    };
  }

  draw(sent = this.sent) {
    const { size } = this.file;
    const share = size ? Math.min(Math.floor((sent / size) * 100), 100) : 100;
    this.one("progress").value = share;
    this.one("[data-ring] circle + circle").setAttribute("stroke-dasharray", `${share} 100`);
    this.one("[data-done]").textContent = sizeOf(sent, size);
    // A new one each time, as in a row that polls: in the same, its beginning would move.
    const pace = span(sent && sent >= size ? "Processing" : this.pace(sent));
    this.one("[data-done] + span").replaceWith(pace);
  }

  // Over the last few seconds, once there are any.
  pace(sent) {
    const now = performance.now();
    if (!sending.has(this) || this.rests) return "";
    this.samples.push([now, sent]);
    while (now - this.samples[0][0] > SPEED_OVER_MS) this.samples.shift();
    const [then, before] = this.samples[0] ?? [now, sent];
    const speed = (sent - before) / ((now - then) / 1000);
    if (now - then < 1000 || !(speed > 0)) return "";
    return `${sizeOf(speed)}/s · about ${timeOf((this.file.size - sent) / speed)} left`;
  }

  cancel() {
    if (waiting.includes(this)) {
      waiting.splice(waiting.indexOf(this), 1);
      this.end("cancelled", "Cancelled", NOTHING_KEPT);
    } else this.stopper?.abort();
  }

  end(look, word, sentence, again = true) {
    this.show(look, word, [sentence], { again });
    say(`${this.file.name}: ${word}. ${sentence}`);
  }

  fail(error) {
    const { status, message } = error;
    if (this.stopper.signal.aborted) this.end("cancelled", "Cancelled", NOTHING_KEPT);
    else if (SIGNED_OUT.includes(status)) this.end("failed", "Failed", SIGN_IN);
    else if (FINAL.includes(status)) this.end("failed", "Not accepted", message, false);
    else this.end("failed", "Failed", message);
  }

  // From now on the row comes from the server and polls, like all rows.
  handOver(job) {
    const address = list.dataset.row.replace(NO_JOB, job.jobId);
    this.draw(this.file.size);
    this.show("queued", "Sent", [], { cancel: true });
    this.one("[data-cancel]").id = `act-${job.jobId}`; // keeps the focus
    const poll = {
      id: `job-${job.jobId}`,
      "hx-get": address,
      "hx-trigger": "load, every 3s, look",
      "hx-swap": "outerHTML",
      "data-polled": "",
    };
    for (const [name, value] of Object.entries(poll)) this.item.setAttribute(name, value);
    htmx.process(this.item);
  }
}

async function run(row) {
  sending.add(row);
  row.begin();
  try {
    const { address, most } = zone.dataset;
    const { signal } = row.stopper;
    const options = { address, most: Number(most), signal, heard: row.heard, choices: row.choices };
    const job = await sendFile(row.file, options);
    row.handOver(job);
  } catch (error) {
    row.fail(error);
  } finally {
    sending.delete(row);
    next();
  }
}

function enqueue(row) {
  row.wait();
  waiting.push(row);
}

function next() {
  while (waiting.length && sending.size < AT_ONCE) run(waiting.shift());
  updateTitle();
}

// The other fields of the form; pages.js converts the time to UTC.
function chosen() {
  const { email } = zone.elements;
  const runAt = new FormData(zone).get("runAt");
  return { ...(email && { email: email.checked }), ...(runAt && { runAt }) };
}

function add(files) {
  const rows = [...files].map((file) => new Row(file, chosen()));
  if (!rows.length) return;
  list.closest("section").hidden = false;
  list.prepend(...rows.map((row) => row.item));
  rows.forEach(enqueue);
  say(rows.length === 1 ? `Uploading ${rows[0].file.name}` : `Uploading ${rows.length} files`);
  next();
}

function updateTitle() {
  const all = [...sending, ...waiting];
  const size = all.reduce((sum, row) => sum + row.file.size, 0);
  const sent = all.reduce((sum, row) => sum + (row.sent ?? 0), 0);
  const share = `${Math.floor((sent / size || 0) * 100)}% `;
  document.title = (all.length ? share : "") + usualTitle;
}

setInterval(() => {
  if (!sending.size) return;
  sending.forEach((row) => row.draw());
  updateTitle();
}, DRAWN_EVERY_MS);

window.addEventListener("beforeunload", (event) => {
  if (sending.size || waiting.length) event.preventDefault();
});

// Choosing

input.multiple = true;
input.addEventListener("change", () => {
  add(input.files);
  input.value = ""; // so that the same file can be chosen again
});
choose.addEventListener("click", () => input.click());

// Dropping files anywhere on the page.

const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
const over = (isOver) => zone.classList.toggle("over", isOver);

window.addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  event.dataTransfer.dropEffect = "copy";
  over(true);
});
window.addEventListener("dragleave", (event) => event.relatedTarget ?? over(false));
window.addEventListener("drop", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  over(false);
  add(event.dataTransfer.files);
});

// Cancel and Retry in the server's rows, without leaving the page: uploads would stop.

list.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { target } = event;
  const row = target.closest("li");
  const address = list.dataset.row.replace(NO_JOB, row.id.replace("job-", ""));
  await fetch(target.action, { method: "POST", body: new FormData(target), redirect: "manual" });
  htmx.ajax("GET", address, { source: row, target: row, swap: "outerHTML" });
});
