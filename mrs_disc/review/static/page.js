// What both pages share: JSON requests, the stop button, single keys, what this browser remembers.

export async function send(address, body) {
  let response;
  try {
    response = await fetch(address, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    return { ok: false, status: 0, answer: { error: "The review server does not answer, so this is not confirmed as saved. Start mrs-disc review again, and look at the history." } };
  }
  return { ok: response.ok, status: response.status, answer: await answerOf(response) };
}

export async function get(address) {
  const response = await fetch(address);
  return { ok: response.ok, status: response.status, answer: await answerOf(response) };
}

async function answerOf(response) {
  try {
    return await response.json();
  } catch {
    return { error: `The server answered ${response.status}.` };
  }
}

export function recall(name) {
  try {
    return localStorage.getItem(`mrs-disc ${name}`) ?? "";
  } catch {
    return "";
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`mrs-disc ${name}`, value);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

function typing(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.matches("textarea, select")) return true;
  return target.matches("input") && !["checkbox", "radio", "range", "button"].includes(target.type);
}

// Escape leaves a field, so that single keys work again without the mouse.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && typing(event.target) && !document.querySelector("dialog[open]")) event.target.blur();
});

/** Call the action of a single key, unless someone is typing, in a dialog, or keys are off. */
export function onKeys(actions, enabled = () => true) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing(event.target) || document.querySelector("dialog[open]") || !enabled()) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action(event);
  });
}

document.getElementById("stop")?.addEventListener("click", async (event) => {
  const button = event.currentTarget;
  if (button.dataset.sure !== "yes") {
    button.dataset.sure = "yes";
    button.textContent = "Stop: press again to confirm";
    return;
  }
  const { ok } = await send("/stop", {});
  if (!ok) return;
  const words = document.createElement("p");
  words.setAttribute("role", "status");
  words.textContent = "The server has stopped. Every saved act is on disk. This page can be closed.";
  button.replaceWith(words);
});
