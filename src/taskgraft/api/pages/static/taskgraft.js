"use strict";
// Moves the slider, keeps pages up to date, and opens learning curves above a page. Begins with what common.js has.
// Puts what a newer page says in place of what is there, and keeps the focus and what is unfolded.
function put(old, now) {
  if (!now || old.innerHTML === now.innerHTML) return;
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const place = findAll("a, button, summary, [tabindex]", old).indexOf(focused);
  const unfolded = findAll("details[open]", old).map((one) => one.id);
  const scrolled = findAll(".scroll", old).map((one) => [one.scrollLeft, one.scrollTop]);
  old.replaceChildren(...now.childNodes);
  unfolded.forEach((id) => { const one = document.getElementById(id); if (one) one.open = true; });
  findAll(".scroll", old).forEach((one, at) => { if (scrolled[at]) [one.scrollLeft, one.scrollTop] = scrolled[at]; });
  const next = findAll("a, button, summary, [tabindex]", old)[place];
  if (focused && next) next.focus({ preventScroll: true });
}

const parse = (text) => new DOMParser().parseFromString(text, "text/html");

// A page of something that still changes: <main data-poll=MILLISECONDS data-state=STATE>. A slow service is asked less.
const main = find("#main");
async function poll() {
  const begun = performance.now();
  const answer = document.hidden ? null : await ask(location.href);
  if (answer && answer.status === 404) return location.reload();
  if (answer && answer.ok) {
    const page = parse(await answer.text());
    const now = find("#main", page);
    if (now.dataset.state !== main.dataset.state || !now.dataset.poll) return location.reload();
    findAll("[data-live]").forEach((old) => put(old, page.getElementById(old.id)));
  }
  setTimeout(poll, Math.max(Number(main.dataset.poll), 10 * (performance.now() - begun)));
}
if (main.dataset.poll) setTimeout(poll, Number(main.dataset.poll));

// The slider: the matrix changes at once, tree and size as soon as the service has drawn them.
const slider = find("#slider"), thresholds = JSON.parse(slider?.dataset.thresholds || "[]");
let asking = null;
async function move(why) {
  if (asking) asking.abort();
  asking = new AbortController();
  const at = thresholds[slider.value];
  const answer = await ask(`${slider.dataset.moves}?at=${at}${why ? "&why=1" : ""}`, { signal: asking.signal });
  if (!answer || !answer.ok) return;
  const page = parse(await answer.text());
  for (const id of ["at", "tree", "tradeoff"]) put(document.getElementById(id), page.getElementById(id));
  slider.setAttribute("aria-valuetext", find("#at-words")?.dataset.words || `${100 * at} %`);
}

function colour(step) {
  const sure = find(".matrix").hasAttribute("data-sure");
  for (const row of find(".matrix").tBodies[0].rows) {
    let isDeepest = true;
    for (const cell of row.cells) {
      if (!cell.dataset.k) continue;
      const [kept, surely] = cell.dataset.k.split(" ").map(Number);
      const stands = step < kept ? "b" : step < surely ? "o" : "k";
      const counts = step >= (sure ? surely : kept);
      cell.className = `${stands}${cell.classList.contains("h") ? " h" : ""}${counts && isDeepest ? " u" : ""}`;
      find("i", cell).textContent = { b: "\u2717", o: "\u2248", k: "\u2713" }[stands];
      if (counts) isDeepest = false;
    }
  }
}

if (slider) {
  slider.hidden = false;
  let resting = 0;
  slider.addEventListener("input", () => {
    if (find(".matrix")) colour(Number(slider.value));
    move(false);
    clearTimeout(resting); // a key changes the slider at every step: reasons, which take longer, wait until it rests
    resting = setTimeout(() => move(true), 500);
  });
  if (find("#why")) move(true);
}

// Learning curves open above the page; without this script, their link leads to a page of its own.
const more = find("#more");
document.addEventListener("click", async (event) => {
  const link = event.target.closest(".matrix a, a[data-open]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const answer = await ask(link.href);
  if (!answer || !answer.ok) return location.assign(link.href);
  const content = find("#main", parse(await answer.text()));
  find("#more-content").replaceChildren(...content.childNodes);
  more.setAttribute("aria-label", find("h1", more).textContent);
  more.showModal();
});
more.addEventListener("click", (event) => { if (event.target === more) more.close(); });
