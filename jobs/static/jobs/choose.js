// The basket: sums up the ticked files. The form works without this script, too.

const MAX_IN_ADDRESS = 200; // ticks; the same in choose.py
const form = document.getElementById("choose");
const lines = form.querySelector("[data-lines]");

function lineFor(box) {
  const line = document.createElement("li");
  const [name, size] = [document.createElement("span"), document.createElement("span")];
  name.textContent = box.labels[0].querySelector("span").firstChild.textContent;
  size.textContent = sizeOf(Number(box.dataset.bytes));
  line.append(name, size);
  return line;
}

function addUp() {
  const all = [...form.querySelectorAll("tbody td input")]; // without the folded previews
  const here = [...form.querySelectorAll("tbody input:checked")];
  lines.querySelectorAll("[data-here]").forEach((line) => line.remove());
  for (const line of here.map(lineFor)) {
    line.dataset.here = "";
    lines.append(line);
  }

  const chosen = [...form.querySelectorAll("input[name=file]:checked")];
  const bytes = chosen.reduce((sum, box) => sum + Number(box.dataset.bytes), 0);
  const count = chosen.length === 1 ? "1 file" : `${chosen.length} files`;
  for (const total of form.querySelectorAll("[data-total]")) {
    total.firstElementChild.textContent = chosen.length ? count : "No files yet";
    total.lastElementChild.textContent = chosen.length ? sizeOf(bytes) : "";
  }
  form.querySelector("[data-make]").textContent = isOneFile(chosen) ? "Download" : "Create zip";

  const whole = form.querySelector("[data-all]");
  if (!whole) return;
  whole.checked = all.length > 0 && all.every((box) => box.checked);
  whole.indeterminate = here.length > 0 && !whole.checked;
}

// A single file needs no zip, unless it has a name, a later start or a schedule of its own.

function isOneFile(chosen) {
  const { name, runAt, repeat } = form.elements;
  return chosen.length === 1 && !name.value.trim() && !runAt.value && !repeat.value;
}

// A search replaces the files in the table. Ticked files stay in the basket, each with a checkbox,
// until their row is back. Boxes that are unticked during the request stay unticked.

let unticked = []; // the boxes' ids

function keepTicks() {
  unticked = [...form.querySelectorAll("tbody input:not(:checked)")].map((box) => box.id);
  for (const box of form.querySelectorAll("tbody input:checked")) {
    const line = lineFor(box);
    const label = document.createElement("label");
    const kept = box.cloneNode();
    label.className = "check";
    kept.removeAttribute("id");
    label.append(kept, line.firstChild);
    line.prepend(label);
    lines.append(line);
  }
}

function takeTicksBack() {
  for (const id of unticked.splice(0)) {
    const box = document.getElementById(id);
    if (box) box.checked = false;
  }
  for (const kept of lines.querySelectorAll("input")) {
    const box = document.getElementById(`f${kept.value}`);
    if (!box) continue;
    box.checked = kept.checked;
    kept.closest("li").remove();
  }
  addUp();
  keepInAddress();
}

function shorten(params) {
  params.delete("csrfmiddlewaretoken"); // it must not get into the URL
  if (params.getAll("file").length > MAX_IN_ADDRESS) params.delete("file");
  const unused = params.get("repeat") ? [] : ["repeatAt", "repeatZone", "repeatCron"];
  for (const [name, value] of [...params])
    if (value === "" || unused.includes(name)) params.delete(name);
}

// Keep the ticked files in the URL, so that a reload or signing in again loses nothing.

function keepInAddress() {
  const params = new URLSearchParams(new FormData(form));
  shorten(params);
  const was = new URLSearchParams(location.search);
  for (const place of ["after", "before"]) if (was.has(place)) params.set(place, was.get(place));
  const address = params.size ? `?${params}` : location.pathname;
  history.replaceState(history.state, "", address);
}

// Back and Forward repeat the search and keep the basket; htmx would reload the page.

function searchAgain(event) {
  if (!event.state?.htmx) return;
  event.stopImmediatePropagation();
  const params = new URLSearchParams(location.search);
  params.delete("file"); // those ticked at that time
  form.elements.search.value = params.get("search") ?? "";
  htmx.ajax("GET", `${location.pathname}?${params}`, {
    source: "#found",
    target: "#found",
    swap: "outerHTML",
  });
}

// A search typed letter by letter is one entry of the history.

function goOnInHistory({ detail }) {
  const goesOn = new URLSearchParams(location.search).has("search");
  if (goesOn && detail.requestConfig.elt.matches("[name=search]")) detail.history.type = "replace";
}

window.addEventListener("popstate", searchAgain, { capture: true }); // before htmx
document.addEventListener("htmx:beforeHistoryUpdate", goOnInHistory);
document.addEventListener("htmx:configRequest", (event) => shorten(event.detail.formData));
document.addEventListener("htmx:beforeSwap", (event) => event.detail.shouldSwap && keepTicks());
document.addEventListener("htmx:afterSettle", takeTicksBack);
form.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]"))
    form.querySelectorAll("tbody td input").forEach((box) => (box.checked = event.target.checked));
  addUp();
  keepInAddress();
});
form.addEventListener("input", (event) => event.target.name === "name" && addUp());
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("input")) return;
  event.preventDefault(); // would press the form's first button, which reloads the page
  if (event.target.name === "name") form.querySelector("[data-make]").click();
});
window.addEventListener("pageshow", addUp); // also when the browser goes back to it
