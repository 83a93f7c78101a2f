// The basket: adds up what is ticked. Without it the form works all the same.

const MAX_IN_ADDRESS = 200; // ticks; as choose.py has it
const form = document.getElementById("choose");
const lines = form.querySelector("[data-lines]");

function sizeOf(bytes) {
  const power = Math.min(Math.floor((String(bytes).length - 1) / 3), 4);
  const shown = (bytes / 1000 ** power).toFixed(power < 2 ? 0 : 1);
  return `${shown}\u00a0${["B", "kB", "MB", "GB", "TB"][power]}`;
}

function lineFor(box) {
  const line = document.createElement("li");
  const [name, size] = [document.createElement("span"), document.createElement("span")];
  name.textContent = box.labels[0].querySelector("span").firstChild.textContent;
  size.textContent = sizeOf(Number(box.dataset.bytes));
  line.append(name, size);
  return line;
}

function addUp() {
  const all = [...form.querySelectorAll("tbody input")];
  const here = all.filter((box) => box.checked);
  lines.querySelectorAll("[data-here]").forEach((line) => line.remove());
  for (const line of here.map(lineFor)) {
    line.dataset.here = "";
    lines.append(line);
  }

  const chosen = [...form.querySelectorAll("input[name=file]:checked")];
  const bytes = chosen.reduce((sum, box) => sum + Number(box.dataset.bytes), 0);
  const count = chosen.length === 1 ? "1 file" : `${chosen.length} files`;
  const total = form.querySelector("[data-total]");
  total.firstElementChild.textContent = chosen.length ? count : "No files yet";
  total.lastElementChild.textContent = chosen.length ? sizeOf(bytes) : "";
  form.elements.name.placeholder = chosen.length ? `${count}.zip` : "If you like";

  const whole = form.querySelector("[data-all]");
  if (!whole) return;
  whole.checked = all.length > 0 && here.length === all.length;
  whole.indeterminate = here.length > 0 && !whole.checked;
}

// Searching puts other files into the table. What was ticked there stays in the basket, each file
// with a box of its own, until its row is there again. What was unticked while the answer was on
// its way is not ticked again by it.

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

function sayLess(asked) {
  asked.delete("csrfmiddlewaretoken"); // the address is no place for it
  if (asked.getAll("file").length > MAX_IN_ADDRESS) asked.delete("file");
  for (const [name, value] of [...asked]) if (value === "") asked.delete(name);
}

// The address has what is ticked now, so that loading it anew or signing in again loses nothing.

function keepInAddress() {
  const asked = new URLSearchParams(new FormData(form));
  sayLess(asked);
  const was = new URLSearchParams(location.search);
  for (const place of ["after", "before"]) if (was.has(place)) asked.set(place, was.get(place));
  const address = asked.size ? `?${asked}` : location.pathname;
  history.replaceState(history.state, "", address);
}

// Back and Forward search again and leave the basket alone; htmx would load the page anew.

function searchAgain(event) {
  if (!event.state?.htmx) return;
  event.stopImmediatePropagation();
  const asked = new URLSearchParams(location.search);
  asked.delete("file"); // what was ticked then
  form.elements.search.value = asked.get("search") ?? "";
  htmx.ajax("GET", `${location.pathname}?${asked}`, {
    source: "#found",
    target: "#found",
    swap: "outerHTML",
  });
}

// Letters typed one after another are one step back.

function goOnInHistory({ detail }) {
  const goesOn = new URLSearchParams(location.search).has("search");
  if (goesOn && detail.requestConfig.elt.matches("[name=search]")) detail.history.type = "replace";
}

window.addEventListener("popstate", searchAgain, { capture: true }); // before htmx
document.addEventListener("htmx:beforeHistoryUpdate", goOnInHistory);
document.addEventListener("htmx:configRequest", (event) => sayLess(event.detail.formData));
document.addEventListener("htmx:beforeSwap", (event) => event.detail.shouldSwap && keepTicks());
document.addEventListener("htmx:afterSettle", takeTicksBack);
form.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]"))
    form.querySelectorAll("tbody input").forEach((box) => (box.checked = event.target.checked));
  addUp();
  keepInAddress();
});
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("input")) return;
  event.preventDefault(); // would press the form's first button, which loads the page anew
  if (event.target.name === "name") form.querySelector("[data-make]").click();
});
window.addEventListener("pageshow", addUp); // also when the browser goes back to it
