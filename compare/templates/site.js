// Search, keys, and the light on both sides of a line. Without it the pages read the same.
"use strict";
const search = document.getElementById("search");
const found = document.getElementById("found");
const count = document.getElementById("count");
const rows = [...document.querySelectorAll("table.code tbody tr:not(.blank)")];

function matches(query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const ranked = [];
  for (const [title, address, text] of INDEX) {
    const all = (title + " " + text).toLowerCase();
    if (!words.every((word) => all.includes(word))) continue;
    const first = (title + " " + text.split(" ")[0]).toLowerCase();
    ranked.push([words.filter((word) => first.includes(word)).length, title, address, text.split(" ")[0]]);
  }
  return ranked.sort((a, b) => b[0] - a[0]).slice(0, 12);
}

search.addEventListener("input", () => {
  const list = matches(search.value);
  found.replaceChildren(...list.map(([, title, address, name]) => {
    const item = document.createElement("li"), link = document.createElement("a"), small = document.createElement("small");
    link.href = address;
    link.textContent = title;
    small.textContent = address.startsWith("differences") ? "difference: " + name : name;
    link.append(small);
    item.append(link);
    return item;
  }));
  found.hidden = !list.length;
  count.textContent = search.value ? list.length + " found" : "";
});
search.addEventListener("keydown", (event) => {
  const first = found.querySelector("a");
  if (event.key === "Enter" && first) location.href = first.href;
  if (event.key === "ArrowDown" && first) { first.focus(); event.preventDefault(); }
});
found.addEventListener("keydown", (event) => {
  const links = [...found.querySelectorAll("a")], at = links.indexOf(document.activeElement);
  if (event.key === "ArrowDown") (links[at + 1] || links[at]).focus();
  else if (event.key === "ArrowUp") (links[at - 1] || search).focus();
  else return;
  event.preventDefault();
});
document.addEventListener("click", (event) => {
  if (!event.target.closest(".search")) found.hidden = true;
});

function light(row) {
  for (const each of rows) each.classList.toggle("lit", Boolean(row) && each.dataset.p === row.dataset.p);
}
for (const row of rows) {
  row.tabIndex = -1;
  row.addEventListener("mouseenter", () => light(row));
  row.addEventListener("focus", () => light(row));
}
if (rows.length) {
  rows[0].tabIndex = 0;
  const table = document.querySelector("table.code");
  table.addEventListener("mouseleave", () => light(null));
  table.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    if (row && !String(getSelection())) row.focus({ preventScroll: true });
  });
}

function step(by) {
  const at = rows.indexOf(document.activeElement);
  const top = () => rows.findIndex((row) => row.getBoundingClientRect().top > 90);
  const next = rows[at >= 0 ? Math.min(Math.max(at + by, 0), rows.length - 1) : Math.max(top(), 0)];
  if (!next) return;
  for (const row of rows) row.tabIndex = -1;
  next.tabIndex = 0;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  const box = next.getBoundingClientRect();
  if (box.top < 110) scrollBy(0, box.top - 110);
}
function turn(rel) {
  const link = document.querySelector(`link[rel=${rel}]`);
  if (link) location.href = link.href;
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") { found.hidden = true; search.blur(); return; }
  if (event.target.closest("input, .scroll, pre, #found")) return;
  if (event.key === "/") { search.focus(); event.preventDefault(); }
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "ArrowRight") turn("next");
  else if (event.key === "ArrowLeft") turn("prev");
});
