// The study page: choice of level, spectrum controls, decisions, morphology, signature.
import { get, onKeys, recall, remember, send } from "./page.js";
import { Spectrum } from "./spectrum.js";

const $ = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const study = $("study").dataset.study;
const results = $("study").dataset.results;
const base = `/study/${encodeURIComponent(study)}`;
const panels = all(".panel");
const keys = panels.map((panel) => panel.dataset.key);
const drawn = panels.filter((panel) => panel.dataset.drawn === "1").map((panel) => panel.dataset.key);
const components = all("input[name=component]").map((input) => input.value);
const spectrum = new Spectrum(base, components, drawn);
components.forEach((name) => spectrum.shown.add(`component ${name}`));
const head = () => $("state").dataset.head;
let level = null;

// -------------------------------------------------------------------- levels

function choose(key) {
  if (!keys.includes(key)) return;
  level = key;
  all(".panel, .details").forEach((part) => (part.hidden = part.dataset.key !== key));
  all(".tab").forEach((tab) => {
    if (tab.dataset.key === key) tab.setAttribute("aria-current", "true");
    else tab.removeAttribute("aria-current");
  });
  all(".voxel").forEach((voxel) => voxel.classList.toggle("current", voxel.dataset.key === key));
  const panel = panels[keys.indexOf(key)];
  $("spectrum-title").textContent = `Spectrum of ${panel.dataset.title}`;
  all("[data-overlay]").forEach((label) => (label.hidden = label.dataset.overlay === key));
  history.replaceState(null, "", `#${key}`);
  const can = panel.dataset.drawn === "1";
  $("drawing").hidden = !can;
  $("no-spectrum").hidden = can;
  $("no-spectrum").textContent = can ? "" : "There is no spectrum of this level.";
  $("scale").hidden = !can;
  if (can) spectrum.show(key).catch(cannotDraw);
}

function cannotDraw(error) {
  $("drawing").hidden = true;
  $("no-spectrum").hidden = false;
  $("no-spectrum").textContent = error.message;
}

const refresh = () => spectrum.refresh().catch(cannotDraw);
const redraw = () => spectrum.draw();

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-key]");
  if (!link || !link.matches(".tab, .go, .voxel")) return;
  event.preventDefault();
  choose(link.dataset.key);
  if (!link.matches(".tab")) bring();
});

/** Bring spectrum and decision into the window, unless they are in it already. */
function bring() {
  const { top } = $("viewer").getBoundingClientRect();
  if (top < 0 || top > 0.35 * innerHeight) $("viewer").scrollIntoView({ block: "start" });
}

function goTo(key) {
  choose(key);
  bring();
}

function step(by) {
  const next = keys.indexOf(level) + by;
  if (next >= 0 && next < keys.length) goTo(keys[next]);
}

// -------------------------------------------------------------------- slices of the image

const slice = $("slice");

function showSlice() {
  const n = Number(slice.value);
  $("slice-image").setAttribute("href", `${base}/anatomy?slice=${n}`);
  $("slice-value").textContent = `${n + 1} of ${Number(slice.max) + 1}`;
  all(".voxel").forEach((voxel) => {
    const { first, last } = voxel.dataset;
    voxel.style.opacity = n < Number(first) || n > Number(last) ? "0.35" : "";
  });
}

slice?.addEventListener("input", showSlice);
document.querySelector(".anatomy svg")?.addEventListener(
  "wheel",
  (event) => {
    if (!slice || event.ctrlKey || !event.deltaY) return;
    event.preventDefault();
    slice.value = Number(slice.value) + Math.sign(event.deltaY);
    showSlice();
  },
  { passive: false },
);

// -------------------------------------------------------------------- controls of the spectrum

function toggleShown(name, on) {
  if (on) spectrum.shown.add(name);
  else spectrum.shown.delete(name);
}

all("input[name=curve]").forEach((input) =>
  input.addEventListener("change", () => {
    toggleShown(input.value, input.checked);
    redraw();
  }),
);
all("input[name=component]").forEach((input) =>
  input.addEventListener("change", () => {
    toggleShown(`component ${input.value}`, input.checked);
    $("all-components").checked = all("input[name=component]").every((i) => i.checked);
    redraw();
  }),
);
$("all-components").addEventListener("change", (event) => {
  all("input[name=component]").forEach((input) => {
    input.checked = event.target.checked;
    toggleShown(`component ${input.value}`, input.checked);
  });
  redraw();
});
all("input[name=overlay]").forEach((input) =>
  input.addEventListener("change", () => {
    if (input.checked) spectrum.overlays.add(input.value);
    else spectrum.overlays.delete(input.value);
    refresh();
  }),
);
all("input[name=mode]").forEach((input) =>
  input.addEventListener("change", () => {
    spectrum.mode = input.value;
    refresh();
  }),
);
$("own-scale").addEventListener("change", (event) => {
  spectrum.ownScale = event.target.checked;
  redraw();
});
$("broadening").addEventListener("input", (event) => {
  spectrum.broadening = Number(event.target.value);
  $("broadening-value").textContent = `${event.target.value} Hz`;
  refresh();
});
$("zoom-in").addEventListener("click", () => spectrum.zoom(0.6));
$("zoom-out").addEventListener("click", () => spectrum.zoom(1 / 0.6));
$("reset").addEventListener("click", () => spectrum.reset());
$("plot").addEventListener("dblclick", () => spectrum.reset());
$("zoom-line").addEventListener("change", (event) => {
  spectrum.zoomToLine(event.target.value);
  event.target.value = "";
});

const press = (input) => input.click();
const pressCurve = (name) => press(document.querySelector(`input[name=curve][value=${name}]`));

function broaden(by) {
  const slider = $("broadening");
  slider.value = Number(slider.value) + by;
  slider.dispatchEvent(new Event("input"));
}

/** Lay over every other level; the noise of a poor one would hide them, so it has its own box. */
function overlayAll() {
  const inputs = all("input[name=overlay]");
  const poor = (key) => panels[keys.indexOf(key)].dataset.verdict === "poor";
  const wanted = inputs.filter((input) => input.value !== level && !poor(input.value));
  const on = !wanted.every((input) => input.checked);
  inputs.forEach((input) => {
    input.checked = on && wanted.includes(input);
    if (input.checked) spectrum.overlays.add(input.value);
    else spectrum.overlays.delete(input.value);
  });
  refresh();
}

// -------------------------------------------------------------------- acts

const reviewer = $("reviewer");
reviewer.value = recall("reviewer");
reviewer.addEventListener("change", () => remember("reviewer", reviewer.value.trim()));
reviewer.addEventListener("keydown", (event) => {
  if (event.key === "Enter") actions.v();
});

remember("study", study); // the list goes on from here

const windows = "BroadcastChannel" in window ? new BroadcastChannel("mrs-disc review") : null;

let before = Promise.resolve();

/** Send one act after the other: a second key press does not overtake the first. */
function act(...what) {
  const now = before.then(() => save(...what));
  before = now.catch(() => {});
  return now;
}

/** Send one act; the page says saved only when the server has said so. */
async function save(fields, words, complain) {
  complain("");
  tellSaved("");
  $("message").textContent = "";
  if (!reviewer.value.trim()) {
    const wish = "Nothing was saved yet: type your name or initials as reviewer, press Enter, and decide again.";
    complain(wish);
    $("message").textContent = wish;
    reviewer.focus();
    return false;
  }
  const body = { reviewer: reviewer.value.trim(), head: head(), results_sha256: results, ...fields };
  const { ok, status, answer } = await send(`${base}/acts`, body);
  if (!ok) {
    const error = answer.error.charAt(0).toUpperCase() + answer.error.slice(1);
    complain(error);
    $("message").textContent = error;
    if (status === 409) {
      $("message").focus();
      await changed(answer.head);
    }
    return false;
  }
  tellSaved(`${words}: saved at ${answer.time.slice(11, 19)} UTC, line ${answer.n} of the log.`);
  windows?.postMessage({ study, head: answer.head });
  await changed(answer.head);
  return true;
}

let fading = 0;

function tellSaved(words) {
  $("saved").textContent = words;
  clearTimeout(fading);
  fading = setTimeout(() => ($("saved").textContent = ""), 8000);
}

/** Show the state after an act, and wait until it is there. */
function changed(newHead) {
  $("state").dataset.head = newHead;
  return new Promise((done) => {
    const finish = () => {
      document.body.removeEventListener("htmx:afterSettle", finish);
      follow();
      done();
    };
    document.body.addEventListener("htmx:afterSettle", finish);
    setTimeout(finish, 3000);
    window.htmx.trigger(document.body, "acts-changed");
  });
}

/** What stands outside of the parts that the server sends again follows them. */
function follow() {
  all("tr[data-level]").forEach((row) =>
    all(".voxel").forEach((voxel) => {
      if (voxel.dataset.key !== row.dataset.level) return;
      const { label, shape } = row.dataset;
      voxel.setAttribute("aria-label", `Voxel of ${voxel.dataset.title}: ${label}`);
      voxel.querySelector("text").textContent = `${voxel.dataset.title} ${shape}`;
      voxel.setAttribute("class", `voxel ${row.dataset.kind}${row.dataset.level === level ? " current" : ""}`);
    }),
  );
  $("open-sign").textContent = $("state").dataset.status === "signed" ? "Final report…" : "Sign…";
}

windows?.addEventListener("message", (event) => {
  if (event.data.study === study && event.data.head !== head()) notice();
});
window.addEventListener("focus", async () => {
  const { ok, answer } = await get(`${base}/state`).catch(() => ({ ok: false }));
  if (!ok) return;
  if (answer.results_sha256 !== results) $("message").textContent = "These results were analysed anew. Load the page again before you decide.";
  else if (answer.head !== head()) notice();
});

function notice() {
  $("message").textContent = "Another window saved an act in the meantime. What you see may be out of date; the next save shows the latest state first.";
}

all("form.decision").forEach((form) =>
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const error = form.querySelector(".form-error");
    const decision = event.submitter?.value ?? "accept";
    await decide(form, decision, (words) => (error.textContent = words));
  }),
);

async function decide(form, decision, complain) {
  const { reason, verdict, comment } = form.elements;
  if (decision !== "accept" && !reason.value) {
    complain(`Choose a reason, then ${decision === "reject" ? "Reject" : "Unsure"} again (Esc leaves the field for the keys).`);
    reason.focus();
    return;
  }
  if (decision === "accept" && !verdict.value) reason.value = ""; // an earlier rejection's
  const fields = { act: "level", key: form.dataset.key, decision, reason: reason.value, comment: comment.value };
  if (verdict.value) fields.verdict = verdict.value;
  const word = { accept: "accepted", reject: "rejected", unsure: "unsure" }[decision];
  await act(fields, `${titleOf(form)} ${word}`, complain);
}

const titleOf = (form) => form.closest(".panel").dataset.title;

/** A level is decided on in view: where nothing of it is in the window, a key only shows it. */
function decideByKey(decision) {
  const form = document.querySelector(`form.decision[data-key="${level}"]`);
  const { top, bottom } = document.querySelector(".bench").getBoundingClientRect();
  if (form && (top > 0.6 * innerHeight || bottom < 0)) {
    bring();
    $("message").textContent = `${titleOf(form)} was out of view and is shown now. Press the key again to decide.`;
    return;
  }
  form?.querySelector(`button[value=${decision}]`).click();
}

// -------------------------------------------------------------------- morphology

function morphologyOf(form) {
  const given = {};
  for (const name of ["pfirrmann", "modic", "hiz", "herniation", "disc_height_loss"]) {
    const { value } = form.elements[name];
    if (value === "") continue;
    if (name === "hiz") given[name] = value === "true";
    else given[name] = /^\d$/.test(value) ? Number(value) : value;
  }
  return given;
}

all("form.morphologic").forEach((form) => {
  const error = form.querySelector(".form-error");
  const complain = (words) => (error.textContent = words);
  form.addEventListener("change", async (event) => {
    followDisc(form, event.target);
    await foretell(form, complain);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act({ act: "morphology", key: form.dataset.key, ...morphologyOf(form) }, `Morphology of ${titleOf(form)}`, complain);
  });
});

/** Show how a level would agree with the morphology in its form. */
async function foretell(form, complain) {
  const query = new URLSearchParams();
  Object.entries(morphologyOf(form)).forEach(([name, value]) => query.set(name, JSON.stringify(value)));
  const { ok, answer } = await get(`${base}/concordance/${form.dataset.key}?${query}`);
  if (ok) $(`concordance-${form.dataset.key}`).textContent = `${answer.concordance} (not saved yet)`;
  else complain(answer.error);
}

/** Morphology belongs to the disc: a field of one run is that of its other runs. */
function followDisc(form, field) {
  all(`form.morphologic[data-level="${form.dataset.level}"]`).forEach((other) => {
    if (other === form) return;
    other.elements[field.name].value = field.value;
    foretell(other, (words) => (other.querySelector(".form-error").textContent = words));
  });
}

// -------------------------------------------------------------------- corrections and words

all("form.correction").forEach((form) =>
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const error = form.querySelector(".form-error");
    const { to, reason } = form.elements;
    if (!reason.value.trim()) {
      error.textContent = "Say why: the reason goes to the log and to every report.";
      reason.focus();
      return;
    }
    const fields = { act: "rename", key: form.dataset.key, to: to.value, reason: reason.value };
    const saved = await act(fields, `Named ${to.value}`, (words) => (error.textContent = words));
    if (saved) location.reload(); // names and places change in every part of the page
  }),
);

const writing = $("writing");
const writingError = writing.querySelector(".form-error");
const HELP = {
  impression: "Your text takes the place of the automatic one, which every report keeps beside it.",
  addendum: "It stands below the impression, with your name and the day.",
};

function openWriting(kind, edited) {
  writing.dataset.kind = kind;
  $("writing-title").textContent = kind === "addendum" ? "Addendum" : "Impression";
  $("writing-help").textContent = HELP[kind];
  $("writing-back").hidden = !edited;
  const lines = all("#impression-text p").map((p) => p.textContent);
  $("writing-text").value = kind === "addendum" ? "" : lines.join("\n");
  $("writing-name").value = reviewer.value;
  writingError.textContent = "";
  writing.showModal();
}

async function write(text) {
  const { kind } = writing.dataset;
  const words = kind === "addendum" ? "Addendum" : "Impression";
  if (!$("writing-name").value.trim()) {
    writingError.textContent = "Type your name or initials: they go to the log and to every report.";
    $("writing-name").focus();
    return;
  }
  reviewer.value = $("writing-name").value.trim();
  remember("reviewer", reviewer.value);
  const saved = await act({ act: kind, text }, words, (told) => (writingError.textContent = told));
  if (saved) writing.close();
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-write]");
  if (button) openWriting(button.dataset.write, button.dataset.edited);
});
$("writing-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("writing-text").value.trim();
  if (text) write(text);
  else writingError.textContent = "There are no words to save.";
});
$("writing-back").addEventListener("click", () => write(""));

// -------------------------------------------------------------------- signature

const sign = $("sign");

function showSigned(signed) {
  $("final").hidden = !signed;
  $("sign-form").hidden = signed;
  $("sign-title").textContent = signed ? `Final report of ${study}` : `Sign ${study}`;
}

function openSign() {
  showSigned($("state").dataset.status === "signed");
  $("sign-name").value = "";
  $("undecided-part").hidden = $("undecided").children.length === 0;
  sign.querySelector(".form-error").textContent = "";
  sign.showModal();
}

$("open-sign").addEventListener("click", openSign);
$("sign-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const error = sign.querySelector(".form-error");
  reviewer.value = $("sign-name").value.trim();
  remember("reviewer", reviewer.value);
  const box = $("sign-levels");
  const levels_confirmed = box && box.checked ? JSON.parse(box.value) : [];
  const saved = await act({ act: "sign", levels_confirmed }, "Signed", (words) => (error.textContent = words));
  if (!saved) return;
  $("made").replaceChildren();
  showSigned(true);
  document.querySelector("[data-format]").focus();
});
all("[data-format]").forEach((button) =>
  button.addEventListener("click", async () => {
    const words = button.textContent;
    Object.assign(button, { disabled: true, textContent: "Making it…" });
    const { ok, answer } = await send(`${base}/final`, { format: button.dataset.format });
    Object.assign(button, { disabled: false, textContent: words });
    button.focus();
    const { format } = button.dataset;
    all(`#made [data-made=${format}]`).forEach((item) => item.remove());
    const entries = ok ? Object.entries(answer.files) : [[answer.error, null]];
    entries.forEach(([name, address]) => {
      const item = document.createElement("li");
      item.dataset.made = format;
      const part = document.createElement(address ? "a" : "span");
      part.textContent = name;
      if (address) Object.assign(part, { href: address, target: "_blank", rel: "noopener" });
      item.append(part);
      $("made").append(item);
    });
  }),
);

// -------------------------------------------------------------------- dialogs and keys

all("dialog [data-close]").forEach((button) => button.addEventListener("click", () => button.closest("dialog").close()));
$("open-keys").addEventListener("click", () => $("keys").showModal());
$("keys-on").checked = recall("keys") !== "off";
$("keys-on").addEventListener("change", (event) => remember("keys", event.target.checked ? "on" : "off"));

const focusIn = (selector) => document.querySelector(`.panel[data-key="${level}"] ${selector}`)?.focus();
const actions = {
  n: () => step(1),
  p: () => step(-1),
  a: () => decideByKey("accept"),
  r: () => decideByKey("reject"),
  u: () => decideByKey("unsure"),
  c: () => focusIn("[name=comment]"),
  m: () => focusIn("[name=pfirrmann]"),
  s: openSign,
  v: () => {
    bring();
    $("plot").focus({ preventScroll: true });
  },
  l: () => $("zoom-line").focus(),
  d: () => pressCurve("data"),
  f: () => pressCurve("fit"),
  b: () => pressCurve("baseline"),
  e: () => pressCurve("residual"),
  x: () => press($("all-components")),
  g: () => press(document.querySelector("input[name=mode]:not(:checked)")),
  h: () => press($("own-scale")),
  o: overlayAll,
  "[": () => broaden(-0.5),
  "]": () => broaden(0.5),
  j: () => $("after")?.click(),
  k: () => $("before")?.click(),
  i: () => $("back")?.click(),
  "?": () => $("keys").showModal(),
};
keys.slice(0, 9).forEach((key, n) => (actions[n + 1] = () => goTo(key)));
onKeys(actions, () => $("keys-on").checked);

$("message").tabIndex = -1;
const asked = decodeURIComponent(location.hash.slice(1));
const scored = all("tr[data-score]").filter((row) => row.dataset.score && drawn.includes(row.dataset.level));
scored.sort((a, b) => b.dataset.score - a.dataset.score); // the highest first, as in the list
choose(keys.includes(asked) ? asked : (scored[0]?.dataset.level ?? drawn[0] ?? keys[0]));
