// The pages of datasets: uploads with their progress, registrations, deletions, and checks that are under way.
const upload = find("#upload"), register = find("#register"), check = find("[data-checking]");
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function sendZip(form) {
  const file = form.elements.file.files[0], name = form.elements.name.value.trim(), request = new XMLHttpRequest();
  const bar = find("progress", form), said = find("[role=status]", form), cancel = find("[data-cancel]", form), button = find("button.main", form);
  const missing = [!name && { field: "name", message: "is required" }, !file && { field: "zip", message: "is required: choose a file" }].filter(Boolean);
  if (missing.length) return placeFaults(form, { errors: missing });
  clearFaults(form);
  const busy = (is) => { bar.hidden = cancel.hidden = !is; button.disabled = is; };
  const fails = (problem) => { busy(false); said.textContent = ""; placeFaults(form, problem); };
  let step = -1;
  request.upload.onprogress = ({ loaded, total }) => {
    bar.value = loaded / total;
    if (loaded === total) said.textContent = "Sent. The service looks at the zip.";
    else if (step !== (step = Math.floor((10 * loaded) / total))) said.textContent = `${megabytes(loaded)} of ${megabytes(total)} sent, ${10 * step} %`;
  };
  request.onload = () => {
    if (request.status < 300) return location.assign(`/datasets/${encodeURIComponent(name)}`);
    try { fails(JSON.parse(request.responseText)); } catch { fails({ detail: `The service answered ${request.status}.` }); }
  };
  request.onerror = () => fails({ detail: "The connection broke. Nothing was kept: try again." });
  request.onabort = () => { busy(false); said.textContent = "Cancelled. Nothing was kept."; button.focus(); };
  cancel.onclick = () => request.abort();
  request.open("PUT", `/v1/datasets/${encodeURIComponent(name)}`);
  request.setRequestHeader("Content-Type", "application/zip");
  request.send(file);
  busy(true);
  bar.value = 0;
  said.textContent = `${megabytes(file.size)} to send`;
}

upload?.addEventListener("submit", (event) => { event.preventDefault(); sendZip(upload); });

register?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, manifest } = register.elements;
  const { ok, data } = await send("POST", "/v1/datasets", { name: name.value.trim(), manifest: manifest.value.trim() });
  if (ok) location.assign(`/datasets/${encodeURIComponent(data.name)}`);
  else placeFaults(register, { ...data, errors: data.errors?.map((fault) => ({ ...fault, field: `register-${fault.field}` })) });
});

findAll("[data-delete]").forEach((button) => button.addEventListener("click", async () => {
  const name = button.dataset.delete;
  if (!(await confirmed(`Delete all versions of ${name}? What was uploaded is lost; registered files stay where they are.`, "Delete"))) return;
  const { ok, data } = await send("DELETE", `/v1/datasets/${encodeURIComponent(name)}`);
  if (ok) return location.assign("/datasets");
  find("#delete-said").textContent = data.detail;
}));

if (check) {
  const timer = setInterval(async () => {
    const answer = await ask(check.dataset.checking, { headers: { Accept: "application/json" } });
    if (!answer?.ok) return;
    const { state, progress } = await answer.json();
    if (state !== "checking") { clearInterval(timer); location.reload(); }
    if (progress) {
      Object.assign(find("progress", check), { max: progress.total, value: progress.done });
      find("[role=status]", check).textContent = `${progress.done} of ${progress.total} clips checked`;
    }
  }, 1000);
}
