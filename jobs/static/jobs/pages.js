// Polling with pauses, times in the reader's time zone, copy buttons. The pages work without it.
// The CSP allows neither inline code nor eval.

// Polling. The server sets the interval (`every 3s`), and none once nothing will change.

const HIDDEN_POLL_MS = 30_000; // keeps title and icon of a hidden tab up to date
const MAX_BACKOFF_MS = 15_000;
const PAUSED = new Map(); // the id of a fragment in a hidden tab -> until when
let failures = 0;
let pausedUntil = 0;

// Not `detail.elt`: after the swap that is the new element.
const isPoll = (event) => event.detail.requestConfig.elt.matches("[data-polled]");

const show = (id, shown) => (document.getElementById(id).hidden = !shown);

function mayPoll(fragment, now) {
  if (now < pausedUntil || isWatched(fragment, now)) return false;
  if (!document.hidden) return true;
  if (now < (PAUSED.get(fragment.id) ?? 0)) return false;
  PAUSED.set(fragment.id, now + HIDDEN_POLL_MS);
  return true;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isPoll(event) && !mayPoll(event.detail.elt, Date.now())) event.preventDefault();
});

function noticeAfter(event) {
  const { xhr, successful } = event.detail;
  if (successful) return "";
  if (xhr.status === 401) return "signed-out";
  if (!isPoll(event)) return "unanswered";
  return xhr.status ? "busy" : "offline";
}

const NOTICES = ["signed-out", "unanswered", "busy", "offline"];
const notice = (shown) => NOTICES.forEach((id) => show(id, id === shown));

document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, successful } = event.detail;
  notice(noticeAfter(event));
  const here = encodeURIComponent(location.pathname + location.search);
  document.querySelector("#signed-out a").search = `?next=${here}`;
  if (!isPoll(event)) return;
  if (xhr.status === 403 || xhr.status === 404) removeFragment(event.detail.requestConfig.elt);
  if (successful) failures = pausedUntil = 0;
  else if (Date.now() >= pausedUntil) {
    failures += 1; // back off, with jitter
    const retryAfter = Number(xhr.status && xhr.getResponseHeader("Retry-After")) * 1000;
    const delay = Math.max(retryAfter, Math.min(1000 * 2 ** failures, MAX_BACKOFF_MS));
    pausedUntil = Date.now() + delay * (0.75 + Math.random() / 2);
  }
});

// The job is gone. Remove its row; its own page shows an error after a reload.
function removeFragment(fragment) {
  if (fragment.id === "state") location.reload();
  else fragment.remove();
}

// A search that is replaced by a newer one is no error.
document.addEventListener("htmx:sendAbort", () => notice(""));

function pollNow() {
  if (document.hidden) return;
  pausedUntil = 0;
  document.querySelectorAll("[data-polled]").forEach((fragment) => htmx.trigger(fragment, "look"));
}

// Server-sent events. One stream reports which of the page's jobs have changed. A fragment polls at
// once if the status changed, otherwise at its next interval; polls without changes are skipped
// while the stream is open. A hidden tab has no stream: browsers limit connections to a server.

const WATCHED_POLL_MS = 30_000; // in case the stream missed an event
const QUEUED_POLL_MS = 10_000; // how many are ahead changes without an event
const MAX_WATCHED = 50;
const POLLED_AT = new Map(); // a job -> the time of its last poll
const CHANGED = new Set(); // jobs that have changed since
const STATUS = new Map(); // a job -> its status in the last event
let stream = null;
let watched = "";

// `data-polled` is the id of the event that the fragment shows: a job's id, and its version.
const jobOf = (fragment) => fragment.dataset.polled.slice(0, 36);
const polled = () => [...document.querySelectorAll('[data-polled*="-"]')];

function isWatched(fragment, now) {
  const job = jobOf(fragment);
  const isOpen = stream?.readyState === EventSource.OPEN && watched.split(",").includes(job);
  if (!POLLED_AT.has(job)) POLLED_AT.set(job, now); // when the page was rendered
  const pause = fragment.matches(".is-queued") ? QUEUED_POLL_MS : WATCHED_POLL_MS;
  if (isOpen && !CHANGED.has(job) && now < POLLED_AT.get(job) + pause) return true;
  CHANGED.delete(job);
  POLLED_AT.set(job, now);
  return false;
}

function watch() {
  const jobs = document.hidden ? "" : polled().slice(0, MAX_WATCHED).map(jobOf).join();
  if (jobs === watched) return;
  stream?.close();
  watched = jobs;
  stream = jobs ? new EventSource(`/v1/download/events?jobs=${jobs}`) : null;
  if (stream) stream.onmessage = (event) => onEvent(event.lastEventId, JSON.parse(event.data));
}

function onEvent(id, { jobId, status }) {
  const fragment = polled().find((each) => jobOf(each) === jobId);
  const was = STATUS.get(jobId);
  STATUS.set(jobId, status);
  if (!fragment || fragment.dataset.polled === id) return;
  CHANGED.add(jobId);
  if (status !== was) htmx.trigger(fragment, "look");
}

document.addEventListener("visibilitychange", watch);
document.addEventListener("htmx:afterSettle", watch);
window.addEventListener("pagehide", () => stream?.close());
watch();

document.addEventListener("visibilitychange", pollNow);
window.addEventListener("online", pollNow);
window.addEventListener("pageshow", (event) => event.persisted && pollNow());

// Selected text is not replaced, except by the last change.

let goesOn = true;

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  goesOn = detail.serverResponse.includes("data-polled");
});
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const selected = getSelection();
  const holds = !selected.isCollapsed && selected.containsNode(detail.target, true);
  if (goesOn && holds && detail.target.closest("main")) detail.shouldSwap = false;
});

// Countdowns, which start when the number arrives.

const ends = new WeakMap();

function countDown() {
  for (const left of document.querySelectorAll("[data-countdown]")) {
    if (!ends.has(left)) ends.set(left, Date.now() + 1000 * left.dataset.countdown);
    const seconds = Math.max(Math.round((ends.get(left) - Date.now()) / 1000), 0);
    if (seconds < 60) left.textContent = `${seconds}\u00a0s`;
  }
}

document.addEventListener("htmx:afterSettle", countDown);
setInterval(countDown, 1000);
countDown();

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-submits]")) target.form.requestSubmit();
});

// A form whose response is shown once: a double click would replace that response.

const sentAt = new WeakMap();

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if (event.timeStamp - (sentAt.get(form) ?? -Infinity) < 5000) event.preventDefault();
  else sentAt.set(form, event.timeStamp);
});

// Copy a command, or this page's URL.

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const put = (event) => (event.preventDefault(), event.clipboardData.setData("text/plain", text));
  document.addEventListener("copy", put, { once: true }); // without TLS there is no clipboard
  document.execCommand("copy");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  await copy(source ? source.textContent : location.origin + location.pathname);
  sayCopied(button);
});

// The first use of "Copy link" makes the link. Without scripts it is then shown on the page.
document.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-copy-link]");
  if (!form) return;
  event.preventDefault();
  const headers = { Accept: "application/json" };
  const response = await fetch(form.action, { method: "POST", body: new FormData(form), headers });
  if (!response.ok) return form.submit();
  try {
    await copy((await response.json()).url);
  } catch {
    return form.submit(); // the browser allows no copy after a wait
  }
  sayCopied(form.querySelector("button"));
});

function sayCopied(button) {
  const word = button.querySelector("span");
  const usual = (button.dataset.usual ??= word.textContent);
  word.textContent = document.getElementById("said").textContent = "Copied";
  setTimeout(() => (word.textContent = usual), 2000);
}

// An undo that is too late is not offered.

for (const notice of document.querySelectorAll("[data-until]"))
  setTimeout(() => notice.remove(), Math.max(new Date(notice.dataset.until) - Date.now(), 1000));

// "Download automatically when ready": once, in any number of tabs and reloads.

const autoDownloadKey = (job) => `download-when-ready:${job}`;
const autoDownloads = storage();

function storage() {
  try {
    return localStorage;
  } catch {
    const kept = new Map(); // the browser blocks storage: keep it in this page
    return {
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => kept.set(name, value),
      removeItem: (name) => kept.delete(name),
    };
  }
}

const alone = (work) => (navigator.locks ? navigator.locks.request("download", work) : work());

function restoreAutoDownload() {
  const box = document.querySelector("[data-later]");
  if (box) box.checked = autoDownloads.getItem(autoDownloadKey(box.dataset.later)) !== null;
}

function downloadIfReady() {
  const link = document.querySelector("#state [data-download]");
  if (!link) return;
  alone(() => {
    const name = autoDownloadKey(link.dataset.download);
    if (autoDownloads.getItem(name) === null) return;
    autoDownloads.removeItem(name);
    location.assign(link.href);
  });
}

document.addEventListener("change", ({ target }) => {
  const job = target.dataset.later;
  if (job && target.checked) autoDownloads.setItem(autoDownloadKey(job), "");
  else if (job) autoDownloads.removeItem(autoDownloadKey(job));
});
document.addEventListener("htmx:afterSettle", downloadIfReady);
window.addEventListener("storage", restoreAutoDownload); // ticked or unticked in another tab
restoreAutoDownload();
downloadIfReady();

// Times: the server renders them in its time zone; this shows them in the reader's.

const clock = (at, seconds) =>
  at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds });

function day(at, month) {
  const year = at.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return at.toLocaleDateString("en-GB", { day: "numeric", month, year });
}

const WRITTEN = {
  moment: (at, today) => `${today ? "today" : day(at, "long")} at ${clock(at)}`,
  start: (at, today) => `${today ? "today" : `on ${day(at, "long")}`} at ${clock(at)}`,
  added: (at, today) => (today ? `today, ${clock(at)}` : day(at, "short")),
  clock: (at, today) => (today ? clock(at, "2-digit") : day(at, "short")),
  ago: (at, today) => {
    const minutes = Math.floor((Date.now() - at) / 60_000);
    if (minutes < 1) return "just now";
    if (minutes < 60) return `${minutes}\u00a0min ago`;
    return today ? clock(at) : day(at, "short");
  },
};

function writeTimes() {
  for (const time of document.querySelectorAll("time[data-time]")) {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    const text = WRITTEN[time.dataset.time](at, today);
    if (time.textContent !== text) time.textContent = text; // an unchanged one keeps its selection
  }
}

document.addEventListener("htmx:afterSettle", writeTimes);
setInterval(writeTimes, 30_000); // "just now" grows old in an open page

// A datetime-local field has no time zone: show the time in the reader's, and send it in UTC.

function localOf(at) {
  const shifted = new Date(at - at.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

for (const field of document.querySelectorAll("[data-at]"))
  if (field.dataset.at) field.defaultValue = localOf(new Date(field.dataset.at));
for (const zone of document.querySelectorAll("[data-own-zone]"))
  zone.textContent = "In your time zone.";
document.addEventListener("formdata", ({ target, formData }) => {
  for (const { name, value } of target.querySelectorAll("[data-at]"))
    if (value) formData.set(name, new Date(value).toISOString());
});

document.querySelector("[data-zone]")?.replaceChildren("Times are in your time zone.");
writeTimes();
