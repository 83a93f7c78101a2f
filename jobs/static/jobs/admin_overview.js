// The overview polls itself with htmx. A hidden tab does not poll, what is unfolded stays unfolded,
// and a poll that fails is said where the time of the last one stands.

const overview = () => document.getElementById("overview");
let unfolded = [];

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", () => {
  unfolded = [...overview().querySelectorAll("details[open]")].map((details) => details.id);
});

document.addEventListener("htmx:afterSwap", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
});

document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.successful) return;
  const fresh = overview().querySelector(".fresh");
  fresh.textContent = fresh.dataset.stale;
  fresh.classList.add("is-stale");
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) htmx.trigger(overview(), "look");
});
