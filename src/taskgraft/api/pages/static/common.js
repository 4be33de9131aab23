"use strict";
// Everything is readable without scripts. This one, which every page has, asks the service and submits forms as JSON.
const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];

// Whether the service answers: every page says at its top if it does not, and asks again until it does.
let isWaiting = false;
function answers(does, address) {
  find("#gone").hidden = does;
  if (does || isWaiting) return;
  isWaiting = true;
  setTimeout(() => { isWaiting = false; ask(address); }, 3000);
}

async function ask(address, options = {}) {
  const again = options.method ? location.href : address;
  try {
    const answer = await fetch(address, { ...options, headers: { Accept: "text/html", ...options.headers } });
    answers(answer.status !== 503, again);
    if (answer.status === 401 && !options.method) location.reload();
    return answer;
  } catch (error) {
    if (error.name !== "AbortError") answers(false, again);
    return null;
  }
}

// Sends JSON, or a text that is JSON; returns {ok, status, data}, whose data are the answer's, or problem details.
async function send(method, address, body, more = {}) {
  const headers = { "Content-Type": "application/json", Accept: "application/json", ...more };
  const answer = await ask(address, { method, headers, body: typeof body === "object" ? JSON.stringify(body) : body });
  if (!answer) return { ok: false, status: 0, data: { detail: "The service does not answer. Nothing is lost: try again." } };
  const { ok, status } = answer, text = await answer.text().catch(() => "");
  try {
    return { ok, status, data: text ? JSON.parse(text) : {} };
  } catch {
    return { ok: false, status, data: { detail: `The service answered ${status}, and not as it should: try again.` } };
  }
}

// Shows each fault at its field ([data-fault=FIELD]), and what has no field at [data-said].
function showFaults(form, problem) {
  const rest = [];
  findAll("[data-fault]", form).forEach((place) => { place.textContent = ""; });
  for (const { field, message } of problem.errors || []) {
    const place = find(`[data-fault="${CSS.escape(field)}"]`, form);
    if (place) place.textContent = message; else rest.push(field ? `${field}: ${message}` : message);
  }
  const said = find("[data-said]", form);
  if (said) said.textContent = problem.errors ? rest.join("; ") : problem.detail || "";
}

// <form data-post=ADDRESS data-then="reload" | "study" | PAGE>: its fields go as one JSON object.
function fieldsOf(form) {
  const fields = {};
  for (const field of form.elements) {
    if (field.name) fields[field.name] = field.dataset.type === "number" ? Number(field.value) : field.value;
  }
  return fields;
}

async function submit(form) {
  const buttons = findAll("button", form);
  buttons.forEach((button) => { button.disabled = true; });
  const { ok, data } = await send("POST", form.dataset.post, fieldsOf(form));
  buttons.forEach((button) => { button.disabled = false; });
  if (!ok) return showFaults(form, data);
  const then = form.dataset.then;
  if (then === "reload") location.reload();
  else location.assign(then === "study" ? `/studies/${data.id}` : then);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-post], [data-get]")) return;
  event.preventDefault();
  if (form.dataset.post) submit(form);
  else location.assign(`${form.dataset.get}?${new URLSearchParams(new FormData(form))}`);
});

// An error page of a service that is away comes back by itself.
if (find("[data-retry]")) {
  setInterval(async () => { const answer = await ask(location.href); if (answer && answer.status !== 503) location.reload(); }, 3000);
}
