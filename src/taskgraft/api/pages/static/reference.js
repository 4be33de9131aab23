// The page /docs: sends the forms of calls, and shows what is answered.
const SHOWN = 200000;
const token = find("#token");

function request(form) {
  const headers = {}, query = new URLSearchParams();
  let path = form.dataset.path, body;
  for (const input of findAll("[data-in]", form)) {
    const { in: place, name } = input.dataset, value = input.value;
    if (place === "body") {
      body = input.type === "file" ? input.files[0] : value;
      headers["Content-Type"] = name;
    } else if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value && place === "query") query.append(name, value);
    else if (value) headers[name] = value;
  }
  if (token.value) headers.Authorization = `Bearer ${token.value}`;
  const asked = query.size ? `?${query}` : "";
  return [path + asked, { method: form.dataset.method, headers, body }];
}

async function text(answer, show) {
  const kind = answer.headers.get("Content-Type") || "";
  if (!/json|text|yaml|svg|csv/.test(kind)) {
    const bytes = (await answer.arrayBuffer()).byteLength;
    return show(bytes ? `${bytes.toLocaleString("en")} bytes of ${kind}` : "no body");
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let all = "";
  for (let part; !(part = await reader.read()).done; show(all)) {
    all += part.value;
    if (all.length > SHOWN) return show(`${all.slice(0, SHOWN)}\n… the rest is not shown`), reader.cancel();
  }
  if (!kind.includes("json")) return;
  try { show(JSON.stringify(JSON.parse(all), null, 2)); } catch { /* it stays as it was sent */ }
}

async function sendCall(form) {
  const [url, options] = request(form), [status, headers, body] = findAll(".answer > p, pre", form);
  const asks = options.method !== "GET" && !url.includes("dry_run=true");
  if (asks && !(await confirmed(`${options.method} ${url} may change what the service holds.`, "Send"))) return;
  const stop = find("[type=button]", form), control = new AbortController();
  stop.onclick = () => control.abort();
  stop.hidden = false;
  find(".answer", form).hidden = false;
  headers.textContent = body.textContent = "";
  status.textContent = "waiting …";
  try {
    const start = performance.now();
    const answer = await fetch(url, { ...options, signal: control.signal });
    status.textContent = `${answer.status} ${answer.statusText}, ${Math.round(performance.now() - start)} ms`;
    headers.textContent = [...answer.headers].map((pair) => pair.join(": ")).join("\n");
    await text(answer, (found) => (body.textContent = found));
  } catch (error) {
    status.textContent = control.signal.aborted ? `${status.textContent} (stopped)` : "The service did not answer.";
  }
  stop.hidden = true;
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("main form")) return;
  event.preventDefault();
  if (event.target.dataset.path) sendCall(event.target);
});
// A link to a call or a schema opens what it lies in.
const reveal = () => document.getElementById(location.hash.slice(1))?.closest("details")?.setAttribute("open", "");
addEventListener("hashchange", reveal);
reveal();
