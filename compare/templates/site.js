// Search, keys, and the light on both sides of a line. Without it the pages read the same.
"use strict";
const search = document.getElementById("search");
const found = document.getElementById("found");
const count = document.getElementById("count");
const rows = [...document.querySelectorAll("table.code tbody tr:not(.blank)")];

const split = (text) => text.split(/[^\p{L}\p{N}_]+/u).filter(Boolean);
// A name is found whole and by its parts: BatchNormalization, batch, normalization.
const parts = (word) => [word, ...word.split(/_+|(?<=[a-z])(?=[A-Z])/).filter((part) => part && part !== word)];
let index = null;
// What a search needs is more than most pages: it comes when somebody begins one.
const library = new URL("minisearch.js", document.currentScript.src).href;
const loaded = (address) => new Promise((resolve) => {
  const script = document.createElement("script");
  script.src = address;
  script.onload = resolve;
  document.head.append(script);
});
let coming = null;

function prepared() {
  coming ??= Promise.all([loaded(library), loaded("search.js")]).then(() => {
    index = new MiniSearch({
      fields: ["title", "names", "words"],
      storeFields: ["title", "kind"],
      tokenize: (text) => split(text).flatMap(parts),
      searchOptions: {
        tokenize: split,
        boost: { title: 6, names: 4 },
        prefix: (word) => word.length > 1,
        fuzzy: (word) => (word.length > 4 ? 0.25 : word.length > 3 ? 1 : false),
        weights: { prefix: 0.6, fuzzy: 0.3 },
      },
    });
    index.addAll(DOCUMENTS);
  });
  return coming;
}

function matches(query) {
  if (!split(query).length) return [];
  const lower = query.toLowerCase();
  const also = Object.entries(SYNONYMS)
    .filter(([said]) => ` ${split(lower).join(" ")} `.includes(` ${said} `))
    .map(([, words]) => ({ queries: [words], combineWith: "OR", boostDocument: () => 2 }));
  const all = index.search({ combineWith: "OR", queries: [{ queries: [query], combineWith: "AND" }, ...also] });
  const loose = { combineWith: "OR", tokenize: (text) => split(text).flatMap(parts) };
  return (all.length ? all : index.search(query, loose)).slice(0, 12);
}

search.addEventListener("focus", prepared);
search.addEventListener("input", async () => {
  await prepared();
  const list = matches(search.value);
  found.replaceChildren(...list.map(({ id, title, kind }) => {
    const item = document.createElement("li"), link = document.createElement("a"), small = document.createElement("small");
    link.href = id;
    link.textContent = title;
    small.textContent = `${kind}: ${id.replace(/^.*#|[.]html$/g, "")}`;
    link.append(small);
    item.append(link);
    return item;
  }));
  const nothing = search.value.trim() && !list.length;
  if (nothing) {
    const item = document.createElement("li");
    item.textContent = search.dataset.nothing;
    const link = document.createElement("a");
    link.href = "glossary.html";
    link.textContent = search.dataset.glossary;
    item.append(link);
    found.append(item);
  }
  found.hidden = !search.value.trim();
  count.textContent = search.value ? search.dataset.found.replace("{}", list.length) : "";
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

// Trying first: PyTorch's lines are hidden until somebody asks for one.
const hide = document.getElementById("hide");
if (hide) {
  const first = hide.textContent, table = document.querySelector("table.code"), hint = document.getElementById("hint");
  hide.hidden = false;
  hide.addEventListener("click", () => {
    const hidden = table.classList.toggle("try");
    hide.setAttribute("aria-pressed", hidden);
    hide.textContent = hidden ? hide.dataset.shown : first;
    hint.hidden = !hidden;
    for (const cell of table.querySelectorAll(".shown")) cell.classList.remove("shown");
  });
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("td.t");
    if (cell && table.classList.contains("try")) cell.classList.add("shown");
  });
}

// What a reader has written is kept by the browser, if that keeps anything of a page.
function remembered(twin, value) {
  try {
    if (value !== undefined) localStorage.setItem("written:" + twin, value ? "1" : "");
    return Boolean(localStorage.getItem("written:" + twin));
  } catch {
    return false;
  }
}
const done = document.getElementById("done");
if (done) {
  done.disabled = false;
  done.checked = remembered(done.dataset.twin);
  done.addEventListener("change", () => remembered(done.dataset.twin, done.checked));
}
for (const card of document.querySelectorAll(".card[data-twin]")) card.classList.toggle("written", remembered(card.dataset.twin));

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
