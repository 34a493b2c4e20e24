// What the page asks the server for. The token stands in the page's own address.

const token = location.pathname.split("/")[1];
const headers = { "content-type": "application/json", "x-guardstream-token": token };

export class Refused extends Error {}

async function answered(response) {
  if (response.ok) return response;
  let said = `the server answered ${response.status}`;
  try { said = (await response.json()).message ?? said; } catch { /* no JSON: the status says it */ }
  throw new Refused(said);
}

export async function setup() {
  return (await answered(await fetch("/api/setup", { headers }))).json();
}

export async function ask(job, body, signal) {
  const request = { method: "POST", headers, body: JSON.stringify(body), signal };
  return (await answered(await fetch(`/api/${job}`, request))).json();
}

/** The events of a stream, some at a time; the page gets to breathe between them. */
export async function* events(job, body, signal) {
  const request = { method: "POST", headers, body: JSON.stringify(body), signal };
  const response = await answered(await fetch(`/api/${job}`, request));
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", began = performance.now();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (let at = 0; at < lines.length; at += 200) {
        yield lines.slice(at, at + 200).map((line) => JSON.parse(line));
        if (performance.now() - began > 10) {
          await new Promise((resolve) => setTimeout(resolve));
          began = performance.now();
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
