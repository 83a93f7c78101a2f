// Niceties on top of pages that work without: polling that knows when to rest, times in the
// reader's own zone. Served under a CSP that allows neither inline code nor eval.

// Polling. The server says how often (`every 3s`), and leaves that out where nothing will change.

const HIDDEN_REST_MS = 30_000; // title and icon of a hidden tab still tell
const LONGEST_REST_MS = 15_000;
const RESTS = new Map(); // the id of a fragment in a hidden tab -> until when
let failures = 0;
let restUntil = 0;

// Not `detail.elt`: once the answer took its place, that is another one.
const isPoll = (event) => event.detail.requestConfig.elt.matches("[data-polled]");

const show = (id, shown) => (document.getElementById(id).hidden = !shown);

function mayAsk(fragment, now) {
  if (now < restUntil || isWatched(fragment, now)) return false;
  if (!document.hidden) return true;
  if (now < (RESTS.get(fragment.id) ?? 0)) return false;
  RESTS.set(fragment.id, now + HIDDEN_REST_MS);
  return true;
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isPoll(event) && !mayAsk(event.detail.elt, Date.now())) event.preventDefault();
});

function noticeAfter(event) {
  const { xhr, successful } = event.detail;
  if (successful) return "";
  if (xhr.status === 401) return "signed-out";
  if (!isPoll(event)) return "unanswered";
  return xhr.status ? "busy" : "offline";
}

const NOTICES = ["signed-out", "unanswered", "busy", "offline"];
const notice = (told) => NOTICES.forEach((id) => show(id, id === told));

document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr, successful } = event.detail;
  notice(noticeAfter(event));
  const here = encodeURIComponent(location.pathname + location.search);
  document.querySelector("#signed-out a").search = `?next=${here}`;
  if (!isPoll(event)) return;
  if (xhr.status === 403 || xhr.status === 404) giveUp(event.detail.requestConfig.elt);
  if (successful) failures = restUntil = 0;
  else if (Date.now() >= restUntil) {
    failures += 1; // a server that is coming back is not met by everybody at once
    const asked = Number(xhr.status && xhr.getResponseHeader("Retry-After")) * 1000;
    const rest = Math.max(asked, Math.min(1000 * 2 ** failures, LONGEST_REST_MS));
    restUntil = Date.now() + rest * (0.75 + Math.random() / 2);
  }
});

// It is gone. A row goes, too; its own page says so when it is loaded anew.
function giveUp(fragment) {
  if (fragment.id === "state") location.reload();
  else fragment.remove();
}

// A search that a newer one takes the place of needs no answer.
document.addEventListener("htmx:sendAbort", () => notice(""));

function lookNow() {
  if (document.hidden) return;
  restUntil = 0;
  document.querySelectorAll("[data-polled]").forEach((fragment) => htmx.trigger(fragment, "look"));
}

// Watching. One stream of events says which of the page's jobs has changed: its fragment is asked
// for at once if the status is another, else when its next poll is due. Polls without news are left
// out while the stream is open. A hidden tab has none: a browser has few connections to a server.

const WATCHED_REST_MS = 30_000; // should the stream have missed something
const MAX_WATCHED = 50;
const ASKED = new Map(); // a job -> when it was asked for last
const NEWS = new Set(); // jobs that have changed since
const STATUS = new Map(); // a job -> its status, as the stream said it last
let stream = null;
let watched = "";

// `data-polled` is the id of the event that the fragment shows: a job's id, and its version.
const jobOf = (fragment) => fragment.dataset.polled.slice(0, 36);
const polled = () => [...document.querySelectorAll('[data-polled*="-"]')];

function isWatched(fragment, now) {
  const job = jobOf(fragment);
  const isOpen = stream?.readyState === EventSource.OPEN && watched.split(",").includes(job);
  if (!ASKED.has(job)) ASKED.set(job, now); // as the page was made
  if (isOpen && !NEWS.has(job) && now < ASKED.get(job) + WATCHED_REST_MS) return true;
  NEWS.delete(job);
  ASKED.set(job, now);
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
  NEWS.add(jobId);
  if (status !== was) htmx.trigger(fragment, "look");
}

document.addEventListener("visibilitychange", watch);
document.addEventListener("htmx:afterSettle", watch);
window.addEventListener("pagehide", () => stream?.close());
watch();

document.addEventListener("visibilitychange", lookNow);
window.addEventListener("online", lookNow);
window.addEventListener("pageshow", (event) => event.persisted && lookNow());

// What somebody has selected is not taken from under them, unless it changes for the last time.

let goesOn = true;

document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  goesOn = detail.serverResponse.includes("data-polled");
});
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  const selected = getSelection();
  const holds = !selected.isCollapsed && selected.containsNode(detail.target, true);
  if (goesOn && holds && detail.target.closest("main")) detail.shouldSwap = false;
});

// Countdowns: by this machine's clock, from the moment the server's number came.

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

// Copying: a command, or this page's address.

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
  const word = button.querySelector("span");
  const usual = (button.dataset.usual ??= word.textContent);
  word.textContent = document.getElementById("said").textContent = "Copied";
  setTimeout(() => (word.textContent = usual), 2000);
});

// "Download it when it is ready": once, however many tabs and reloads it takes.

const wish = (job) => `download-when-ready:${job}`;
const wishes = storage();

function storage() {
  try {
    return localStorage;
  } catch {
    const kept = new Map(); // the browser keeps nothing for this site: this page has to
    return {
      getItem: (name) => kept.get(name) ?? null,
      setItem: (name, value) => kept.set(name, value),
      removeItem: (name) => kept.delete(name),
    };
  }
}

const alone = (work) => (navigator.locks ? navigator.locks.request("download", work) : work());

function restoreWish() {
  const box = document.querySelector("[data-later]");
  if (box) box.checked = wishes.getItem(wish(box.dataset.later)) !== null;
}

function grantWish() {
  const link = document.querySelector("#state [data-download]");
  if (!link) return;
  alone(() => {
    const name = wish(link.dataset.download);
    if (wishes.getItem(name) === null) return;
    wishes.removeItem(name);
    location.assign(link.href);
  });
}

document.addEventListener("change", ({ target }) => {
  const job = target.dataset.later;
  if (job && target.checked) wishes.setItem(wish(job), "");
  else if (job) wishes.removeItem(wish(job));
});
document.addEventListener("htmx:afterSettle", grantWish);
window.addEventListener("storage", restoreWish); // ticked or unticked in another tab
restoreWish();
grantWish();

// Times: the server writes its own zone, where there is no script to know better

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
    if (time.textContent !== text) time.textContent = text; // else what is selected is not any more
  }
}

document.addEventListener("htmx:afterSettle", writeTimes);
setInterval(writeTimes, 30_000); // "just now" is not, in a page left open

// A time in a field: nobody's zone is in it. It is shown in the reader's, and sent as UTC.

function localOf(at) {
  const shifted = new Date(at - at.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

for (const field of document.querySelectorAll("[data-at]"))
  if (field.dataset.at) field.defaultValue = localOf(new Date(field.dataset.at));
for (const zone of document.querySelectorAll("[data-own-zone]"))
  zone.textContent = "In your own time zone.";
document.addEventListener("formdata", ({ target, formData }) => {
  for (const { name, value } of target.querySelectorAll("[data-at]"))
    if (value) formData.set(name, new Date(value).toISOString());
});

document.querySelector("[data-zone]")?.replaceChildren("Times are in your own time zone.");
writeTimes();
