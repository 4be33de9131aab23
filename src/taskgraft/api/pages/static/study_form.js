// The page /new. The JSON box is the study; the form writes into it what it knows, and is filled from it.
const form = find("#study"), box = find("#json"), tasks = find("#tasks"), plan = find("#plan"), touched = new Set();
let planned = "", asked = 0, key = "", keyOf = "";

const READ = {
  text: (text) => text,
  number: Number,
  percent: (text) => Number((text / 100).toPrecision(12)),
  minutes: (text) => Number((text * 60).toPrecision(12)),
  whole: (text) => (/^\d+$/.test(text) ? Number(text) : text),
  list: (text) => text.split(/[\s,]+/).filter(Boolean).map(READ.whole),
};
const WRITE = { percent: (value) => Number((value * 100).toPrecision(12)), minutes: (value) => value / 60, list: (value) => value.join(", ") };

function valueOf(control) {
  if (control.multiple) return [...control.selectedOptions].map(({ value }) => value).filter(Boolean);
  const text = control.value.trim();
  return text === "" ? undefined : (READ[control.dataset.form] || READ.text)(text);
}

function put(study, path, value) {
  const keys = path.split("."), last = keys.pop();
  let at = study;
  for (const name of keys) at = at[name] && typeof at[name] === "object" ? at[name] : value === undefined ? {} : (at[name] = {});
  if (value === undefined) delete at[last]; else at[last] = value;
}

const get = (study, path) => path.split(".").reduce((at, name) => at?.[name], study);

function readBox() {
  try {
    const study = JSON.parse(box.value);
    if (study && typeof study === "object" && !Array.isArray(study)) return study;
    throw new SyntaxError("a study is an object");
  } catch (error) {
    clearFaults(form);
    find("#fault-json").textContent = `not JSON: ${error.message}`;
    box.setAttribute("aria-invalid", "true");
    return null;
  }
}

function writeBox() {
  const study = readBox();
  if (!study) return;
  const rows = [...tasks.children], old = Array.isArray(study.tasks) ? study.tasks : [];
  study.tasks = rows.map((row, place) => ({ ...old[place] }));
  for (const control of findAll("[data-path]", form)) {
    const { path } = control.dataset; // what nobody has changed keeps every digit that the box has
    if (path.startsWith("tasks.") || touched.has(path)) put(study, path, valueOf(control));
  }
  if (study.budget && !Object.keys(study.budget).length) delete study.budget;
  if (study.training && !Object.keys(study.training).length) delete study.training;
  box.value = JSON.stringify(study, null, 2);
}

// Numbers the tasks anew, after one was added or removed.
function number() {
  [...tasks.children].forEach((row, place) => {
    for (const part of [row, ...findAll("*", row)]) {
      for (const { name, value } of [...part.attributes]) {
        if (value.includes("tasks.")) part.setAttribute(name, value.replace(/tasks\.\d+/g, `tasks.${place}`));
      }
      if (part.className === "place") part.textContent = place + 1;
    }
  });
}

const part = (row, name) => find(`[data-path$=".${name}"]`, row);

function offer(row) {
  const dataset = part(row, "dataset").value, target = part(row, "target");
  const known = find(`template[data-targets="${CSS.escape(dataset)}"]`);
  target.replaceChildren(...(known ? known.content.cloneNode(true).childNodes : [new Option("choose one", "")]));
}

// Offers the kinds that fit the target, and the metrics that fit the kind.
function fit(row) {
  const kind = part(row, "kind"), target = part(row, "target"), metric = part(row, "metric");
  const group = target.selectedOptions[0]?.parentElement.dataset.kinds;
  for (const option of kind.options) option.disabled = Boolean(group) && !group.split(" ").includes(option.value);
  if (kind.selectedOptions[0]?.disabled) kind.value = group.split(" ")[0];
  target.multiple = "several" in (kind.selectedOptions[0]?.dataset || {});
  if (target.options[0]?.value === "") target.options[0].hidden = target.multiple;
  for (const option of metric.options) option.disabled = Boolean(option.value) && !option.dataset.kinds.split(" ").includes(kind.value);
  if (metric.selectedOptions[0]?.disabled) metric.value = "";
}

function add() {
  tasks.append(find("#task").content.cloneNode(true));
  number();
  return tasks.lastElementChild;
}

function choose(control, value) {
  if (control.tagName === "SELECT") {
    const wanted = [value ?? ""].flat().map(String);
    for (const text of wanted) if (text && ![...control.options].some((option) => option.value === text)) control.append(new Option(text, text));
    for (const option of control.options) option.selected = wanted.includes(option.value);
  } else control.value = value === undefined || value === null ? "" : (WRITE[control.dataset.form] || String)(value);
}

function fill(study) {
  const wanted = Array.isArray(study.tasks) ? study.tasks.length : 0;
  while (tasks.children.length > wanted) tasks.lastElementChild.remove();
  while (tasks.children.length < wanted) add();
  for (const row of tasks.children) {
    for (const name of ["dataset", "kind", "metric", "name"]) choose(part(row, name), get(study, part(row, name).dataset.path) ?? (name === "kind" ? "clip" : ""));
    offer(row);
    part(row, "target").multiple = "several" in part(row, "kind").selectedOptions[0].dataset;
    choose(part(row, "target"), get(study, part(row, "target").dataset.path));
    fit(row);
  }
  for (const control of findAll("[data-path]:not([data-path^='tasks.'])", form)) {
    const value = get(study, control.dataset.path);
    if (control.tagName !== "SELECT" || value !== undefined) choose(control, value);
  }
}

const time = (s) => (s < 1 ? "under 1 s" : s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min` : s < 172800 ? `${(s / 3600).toFixed(1)} h` : `${(s / 86400).toFixed(1)} days`);
const bound = (share) => `${(Math.ceil(Number((1e4 * share).toFixed(6))) / 100).toFixed(2)} %`; // rounded up: what is written holds
const whole = (value) => value.toLocaleString("en");
const element = (tag, textContent, more = {}) => Object.assign(document.createElement(tag), { textContent, ...more });

function row(head, ...cells) {
  const made = element("tr", "");
  made.append(element("th", head, { scope: "row" }), ...cells.map(([text, className]) => element("td", text, { className })));
  return made;
}

function showPlan(found, study) {
  const chosen = found.strategies.find(({ strategy }) => strategy === (study.strategy || "adaptive"));
  const said = {
    trainings: `${chosen ? `${whole(chosen.trials_likely)} likely; ` : ""}${whole(found.trials_at_least)} to ${whole(found.trials_at_most)}`,
    time: `${chosen ? `${time(chosen.seconds_likely)} likely; ` : ""}${time(found.seconds_at_least)} to ${time(found.seconds_at_most)} on ${found.workers} core${found.workers === 1 ? "" : "s"}`,
    sizes: `${whole(found.fully_shared_parameters)} if everything is shared, ${whole(found.independent_parameters)} if nothing is`,
  };
  for (const [name, text] of Object.entries(said)) find(`[data-plan=${name}]`).textContent = text;
  find("#plan-warnings").replaceChildren(...found.warnings.map((text) => element("p", text, { className: "warning" })));
  find("#plan-tasks").replaceChildren(...found.resolution.map((task) => row(
    task.task, [whole(task.test_clips), "number"], [bound(task.q_min), "number"],
    [task.q_min <= study.ar_threshold ? "✓ yes" : task.clips_needed ? `✗ no: ${whole(task.clips_needed)} clips` : "✗ no number of clips is"],
  )));
  find("#plan-strategies").replaceChildren(...found.strategies.map((one) => row(
    one.strategy + (one.strategy === found.recommended ? " (recommended)" : ""), [whole(one.trials_likely), "number"], [time(one.seconds_likely), "number"],
  )));
  find("#plan-because").textContent = `${found.recommended}: ${found.because}.`;
}

// Asks for the plan. By itself it shows faults only of fields that were changed; `all` shows every fault, and goes there.
async function check(all) {
  const study = readBox(), body = box.value, turn = ++asked;
  if (!study) return all && box.focus();
  const { status, data } = await send("POST", "/v1/studies?dry_run=true", body);
  if (turn !== asked) return false;
  plan.hidden = status !== 200;
  if (status === 200) {
    clearFaults(form);
    showPlan(data, study);
  } else if (all || data.errors) placeFaults(form, data, all ? {} : { focus: false, shown: (field) => touched.has(field) });
  const waits = status === 409;
  find("#plan-said").textContent = status === 200 ? "The study would take:" : waits ? `There is no plan yet: ${data.detail}. A study that is started waits for it.` : "There is no plan while the study has faults.";
  planned = status === 200 || waits ? body : "";
  return Boolean(planned);
}

// Faults of what nobody has come to yet help nobody.
function checkIfWhole() {
  if (tasks.children.length && findAll(".field:has(.required) [data-path]", form).every((control) => [valueOf(control)].flat().join(""))) check(false);
}

async function start() {
  if (planned !== box.value) {
    if (await check(true)) {
      find("#plan-said").textContent += " Press “Start the study” again to start it.";
      find("#plan-title").focus();
    }
    return;
  }
  if (keyOf !== box.value) [keyOf, key] = [box.value, crypto.getRandomValues(new Uint32Array(4)).join("-")];
  const { status, data } = await send("POST", "/v1/studies", box.value, { "Idempotency-Key": key });
  if (status === 202) location.assign(`/studies/${data.id}`);
  else placeFaults(form, data);
}

form.addEventListener("change", ({ target }) => {
  if (target === box) {
    const study = readBox();
    if (!study) return;
    fill(study);
  } else {
    const row = target.closest(".task"), name = target.dataset.path?.replace(/.*\./, "");
    if (row && name === "dataset") offer(row);
    if (row) fit(row);
    if (row && name === "target" && !part(row, "name").value) part(row, "name").value = target.value.replace(/[^\w.-]+/g, "_").replace(/^[_.-]+/, "").slice(0, 64);
    touched.add(target.dataset.path);
    writeBox();
  }
  checkIfWhole();
});
form.addEventListener("input", ({ target }) => {
  if (target === box || target.tagName !== "INPUT") return;
  touched.add(target.dataset.path);
  writeBox();
});
form.addEventListener("submit", (event) => { event.preventDefault(); start(); });
find("#check").addEventListener("click", () => check(true));
find("#add").addEventListener("click", () => {
  const made = add();
  writeBox();
  find("#said").textContent = `Task ${tasks.children.length} was added.`;
  part(made, "dataset").focus();
});
tasks.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-remove]");
  if (!button) return;
  const at = [...tasks.children].indexOf(button.closest(".task")), study = readBox();
  if (!study) return;
  study.tasks?.splice(at, 1);
  box.value = JSON.stringify(study, null, 2);
  tasks.children[at].remove();
  number();
  find("#said").textContent = `Task ${at + 1} was removed.`;
  find("#add").focus();
  checkIfWhole();
});
for (const row of tasks.children) fit(row);
checkIfWhole();
