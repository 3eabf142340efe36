"use strict";

const theme = document.getElementById("theme");
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = isDark ? "light" : "dark";
});

// A click on a heading sorts by its column, a second one the other way round; what is not defined stays last.
function valueOf(row, index) {
  const cell = row.cells[index];
  if (cell.dataset.value === undefined) return cell.textContent.trim().toLowerCase();
  return cell.dataset.value === "" ? null : Number(cell.dataset.value);
}

function compare(one, other, isRising) {
  if (one === null || other === null) return (one === null) - (other === null);
  const order = typeof one === "number" ? one - other : one.localeCompare(other, undefined, {numeric: true});
  return isRising ? order : -order;
}

function sortBy(table, heading) {
  const index = heading.cellIndex;
  const before = heading.getAttribute("aria-sort");
  const isText = table.tBodies[0].rows[0]?.cells[index].dataset.value === undefined;
  const isRising = before ? before === "descending" : isText;
  for (const each of heading.parentElement.cells) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", isRising ? "ascending" : "descending");
  const rows = Array.from(table.tBodies[0].rows);
  rows.sort((one, other) => compare(valueOf(one, index), valueOf(other, index), isRising));
  table.tBodies[0].append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const heading of table.tHead.rows[0].cells) {
    heading.querySelector("button").addEventListener("click", () => sortBy(table, heading));
  }
}

// A row of a table, a line of a chart and a word of its legend that have the same name light up together.
const named = new Map();
for (const each of document.querySelectorAll("[data-name]")) {
  const name = each.dataset.name;
  if (!named.has(name)) named.set(name, []);
  named.get(name).push(each);
}
for (const [name, members] of named) {
  for (const member of members) {
    member.addEventListener("mouseenter", () => named.get(name).forEach((each) => each.classList.add("lit")));
    member.addEventListener("mouseleave", () => named.get(name).forEach((each) => each.classList.remove("lit")));
  }
}

const dialog = document.getElementById("zoom");
for (const button of document.querySelectorAll("button.zoom")) {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img");
    dialog.querySelector("img").src = picture.src;
    dialog.querySelector("img").alt = picture.alt;
    dialog.querySelector("p").textContent = button.parentElement.querySelector("figcaption").textContent;
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());
