"use strict";
// A cell is "mean [low, high]", a number, or words; what has no number comes last, both ways.
const value = (cell) => {
  const found = cell.textContent.replace(/\u2212/g, "-").match(/^\s*(?:\u2264\s*)?([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)/i);
  return found ? Number(found[1]) : NaN;
};
const compare = (a, b, down) => {
  const x = value(a), y = value(b);
  if (Number.isNaN(x) && Number.isNaN(y)) return (down ? -1 : 1) * a.textContent.localeCompare(b.textContent);
  if (Number.isNaN(x)) return 1;
  if (Number.isNaN(y)) return -1;
  return down ? y - x : x - y;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.title = head.title ? head.title + " (sorts the table)" : "sorts the table";
    head.removeAttribute("title");
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => compare(a.cells[column], b.cells[column], down));
      body.append(...rows);
    });
  });
  if (body.rows.length < 5) continue;
  const input = document.createElement("input");
  input.type = "search";
  input.placeholder = "find a row";
  input.setAttribute("aria-label", "find a row of the table: " + table.getAttribute("aria-label"));
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
  table.closest(".box").querySelector(".above").append(input);
}
const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
if ("IntersectionObserver" in window) {
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((a) => a.removeAttribute("aria-current"));
      links.get(entry.target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  document.querySelectorAll("main > section").forEach((section) => watcher.observe(section));
}
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.textContent = "copied";
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
