import { useState } from "react";
import { createRoot } from "react-dom/client";

// Returns a function like fetch. Its errors have the sentences of the service's problem response.
const client = (url, token) => async (path, { headers, ...options } = {}) => {
  const authorized = { Authorization: `Bearer ${token}`, ...headers };
  const response = await fetch(url + path, { ...options, headers: authorized });
  if (response.ok) return response;
  const { detail, errors = [] } = await response.json();
  throw new Error([detail, ...errors.map((each) => each.detail)].join(" "));
};

// Yields the job after each change. Not an EventSource, which cannot send a token.
async function* changes(call, jobId) {
  for (let job; !job?.finishedAt; ) {
    if (job) await new Promise((resolve) => setTimeout(resolve, 1000)); // the stream ended early
    const headers = { Accept: "text/event-stream" };
    const { body } = await call(`/v1/download/events/${jobId}`, { headers });
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = "", part; !(part = await reader.read()).done; ) {
      const events = (text + part.value).split("\n\n");
      text = events.pop(); // incomplete
      for (const event of events) {
        const data = event.match(/^data: (.*)$/m)?.[1]; // none in a comment
        if (data) yield (job = JSON.parse(data));
      }
    }
  }
}

function App() {
  const [{ call, files = [], job, result, error }, set] = useState({});
  const show = (more) => set((before) => ({ ...before, ...more }));
  const submit = (action) => (event) => {
    event.preventDefault();
    show({ error: "", result: null });
    action(new FormData(event.target)).catch(({ message }) => show({ error: message }));
  };
  const connect = submit(async (form) => {
    const call = client(form.get("url").replace(/\/$/, ""), form.get("token"));
    const { results } = await (await call("/v1/files?limit=100")).json();
    show({ call, files: results });
  });
  const start = submit(async (form) => {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() };
    const body = JSON.stringify({ file_ids: form.getAll("file").map(Number) });
    const { jobId } = await (await call("/v1/download/initiate", { method: "POST", headers, body })).json();
    for await (const job of changes(call, jobId)) show({ job });
    const { downloadUrl, fileName } = await (await call(`/v1/download/result/${jobId}`)).json();
    const blob = await (await fetch(downloadUrl)).blob(); // large files: link to downloadUrl instead
    show({ result: { name: fileName, href: URL.createObjectURL(blob) } });
  });
  return (
    <>
      <form onSubmit={connect}>
        <label>Service <input name="url" type="url" required /></label>
        <label>Token or key <input name="token" type="password" required /></label>
        <button>Connect</button>
      </form>
      <form onSubmit={start} hidden={!call}>
        {files.map(({ fileId, name, size }) => (
          <div key={fileId}>
            <label><input type="checkbox" name="file" value={fileId} /> {name}</label> {size} bytes
          </div>
        ))}
        <button>Create zip</button>
      </form>
      {job && (
        <p role="status">
          <progress value={job.progress} aria-label="Progress" /> {job.status}: {job.message}
        </p>
      )}
      {result && <a href={result.href} download={result.name}>Save {result.name}</a>}
      {error && <p role="alert">{error}</p>}
    </>
  );
}

createRoot(document.getElementById("app")).render(<App />);
