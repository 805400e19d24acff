// The list of studies by keyboard.
import { onKeys, recall } from "./page.js";

const links = () => [...document.querySelectorAll("a.open")];

function move(step) {
  const all = links();
  if (!all.length) return;
  let here = all.indexOf(document.activeElement);
  if (here < 0 && document.activeElement !== search) here = all.findIndex((link) => link.textContent === recall("study"));
  const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : here + step;
  all[Math.min(Math.max(next, 0), all.length - 1)].focus();
}

const follow = (id) => document.getElementById(id)?.click();

onKeys({
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  j: () => move(1),
  k: () => move(-1),
  PageDown: () => follow("next-page"),
  PageUp: () => follow("previous-page"),
  "/": () => document.getElementById("search").focus(),
});

const search = document.getElementById("search");
search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") {
    event.preventDefault();
    move(1);
  }
});
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
