// The browsable API's forms: sends JSON, which no form does by itself, and shows the answer in the
// place of the page's main part.

const show = () => document.querySelectorAll("form[data-send]").forEach((form) => (form.hidden = false));

async function send(form) {
  const body = form.elements.body?.value;
  const headers = { Accept: "text/html", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value };
  if (body) headers["Content-Type"] = "application/json";
  const answer = await fetch(location.href, { method: form.dataset.send, headers, body });
  const text = await answer.text();
  const main = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  if (main) {
    document.querySelector("main").replaceWith(main);
    const field = main.querySelector("[name=body]");
    if (field && body) field.value = body; // to mend it and send it again
    show();
  } else {
    document.querySelector("[data-answer]").textContent = `HTTP ${answer.status}\n\n${text}`;
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
