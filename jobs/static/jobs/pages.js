// Niceties on top of pages that work without: polling rests in hidden tabs, times are the
// reader's own, the basket adds up. Served under a CSP that allows neither inline code nor eval.
"use strict";

// Polling

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault(); // its next turn comes all the same
});
document.addEventListener("htmx:afterRequest", (event) => {
  const offline = document.getElementById("offline");
  if (offline) offline.hidden = event.detail.successful;
});

// Times: the server writes its own zone, where there is no script to know better

const clock = (at, seconds) =>
  at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds });

function day(at, month) {
  const year = at.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return at.toLocaleDateString("en-GB", { day: "numeric", month, year });
}

const WRITTEN = {
  moment: (at, today) => `${today ? "today" : day(at, "long")} at ${clock(at)}`,
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
    time.textContent = WRITTEN[time.dataset.time](at, today);
  }
}

document.addEventListener("htmx:afterSettle", writeTimes);
document.querySelector("[data-zone]")?.replaceChildren("Times are in your own time zone.");
writeTimes();

// The basket

const form = document.getElementById("choose");

function sizeOf(bytes) {
  const power = Math.min(Math.floor((String(bytes).length - 1) / 3), 4);
  const shown = (bytes / 1000 ** power).toFixed(power < 2 ? 0 : 1);
  return `${shown}\u00a0${["B", "kB", "MB", "GB", "TB"][power]}`;
}

function lineFor(box) {
  const line = document.createElement("li");
  const [name, size] = [document.createElement("span"), document.createElement("span")];
  line.dataset.here = "";
  name.textContent = box.labels[0].querySelector("span").firstChild.textContent;
  size.textContent = sizeOf(Number(box.dataset.bytes));
  line.append(name, size);
  return line;
}

function addUp() {
  const all = [...form.querySelectorAll("tbody input")];
  const here = all.filter((box) => box.checked);
  const lines = form.querySelector("[data-lines]");
  lines.querySelectorAll("[data-here]").forEach((line) => line.remove());
  lines.append(...here.map(lineFor));

  const chosen = [...form.querySelectorAll("input[name=file]:checked")];
  const bytes = chosen.reduce((sum, box) => sum + Number(box.dataset.bytes), 0);
  const count = chosen.length === 1 ? "1 file" : `${chosen.length} files`;
  const total = form.querySelector("[data-total]");
  total.hidden = false;
  total.firstElementChild.textContent = chosen.length ? count : "No files yet";
  total.lastElementChild.textContent = chosen.length ? sizeOf(bytes) : "";
  form.elements.name.placeholder = chosen.length ? `${count}.zip` : "If you like";

  const whole = form.querySelector("[data-all]");
  if (!whole) return;
  whole.hidden = false;
  whole.checked = all.length > 0 && here.length === all.length;
  whole.indeterminate = here.length > 0 && !whole.checked;
}

if (form) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]"))
      form.querySelectorAll("tbody input").forEach((box) => (box.checked = event.target.checked));
    addUp();
  });
  form.elements.name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // would press the form's first button, which searches
    form.querySelector("[data-make]").click();
  });
  window.addEventListener("pageshow", addUp); // also when the browser goes back to it
}
