// The basket: adds up what is ticked. Without it the form works all the same.
"use strict";

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
