"use strict";
// Faults of problem details, each at its field: the element #fault-FIELD, or that of what the field lies in.
function placeOf(field) {
  for (let path = field; path; path = path.slice(0, Math.max(0, path.lastIndexOf(".")))) {
    const place = document.getElementById(`fault-${path}`);
    if (place) return [place, path];
  }
  return [null, ""];
}

const controlOf = (place) => find(`[aria-describedby~="${CSS.escape(place.id)}"]`);

function clearFaults(form) {
  findAll(".fault", form).forEach((place) => { place.textContent = ""; });
  findAll("[aria-invalid]", form).forEach((control) => control.removeAttribute("aria-invalid"));
  const top = find(".faults", form);
  top.hidden = true;
  find("ul", top).replaceChildren();
}

// Shows a problem, or only its faults that `shown` accepts; those without a field stand at the top of the form.
function placeFaults(form, problem, { focus = true, shown = () => true } = {}) {
  clearFaults(form);
  const top = find(".faults", form), errors = (problem.errors || []).filter(({ field }) => shown(field));
  const general = problem.errors ? [] : [problem.detail];
  for (const { field, message } of errors) {
    const [place, path] = placeOf(field);
    if (!place) { general.push(field ? `${field}: ${message}` : message); continue; }
    const words = path === field ? message : `${field.slice(path.length + 1)}: ${message}`;
    place.textContent += place.textContent ? `; ${words}` : words;
    controlOf(place)?.setAttribute("aria-invalid", "true");
  }
  find("ul", top).append(...general.map((words) => Object.assign(document.createElement("li"), { textContent: words })));
  top.hidden = !general.length;
  if (!focus) return;
  const first = general.length ? top : find("[aria-invalid]", form);
  first?.closest("details")?.setAttribute("open", "");
  first?.focus();
}
