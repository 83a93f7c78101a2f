// The forms of the browsable API: send JSON, which forms cannot, and replace the page's main part
// with the response.

const show = () => document.querySelectorAll("form[data-send]").forEach((form) => (form.hidden = false));

async function send(form) {
  const body = form.elements.body?.value;
  const headers = { Accept: "text/html", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(location.href, { method: form.dataset.send, headers, body });
  const text = await response.text();
  const main = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  if (main) {
    document.querySelector("main").replaceWith(main);
    const field = main.querySelector("[name=body]");
    if (field && body) field.value = body; // to edit it and send it again
    show();
  } else {
    document.querySelector("[data-answer]").textContent = `HTTP ${response.status}\n\n${text}`;
  }
  document.querySelector("[data-answer]")?.focus();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset.send) return;
  event.preventDefault();
  const [button, error] = [form.querySelector("button"), form.querySelector("[role=alert]")];
  button.disabled = true;
  error.hidden = true;
  try {
    await send(form);
  } catch {
    error.hidden = false;
  } finally {
    button.disabled = false;
  }
});

show();
