"use strict";
const find = document.getElementById("find");
const rows = Array.from(document.querySelectorAll("#list tbody tr"));

function filter() {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const shown = words.every((word) => row.dataset.words.includes(word));
    if (!shown) row.dispatchEvent(new Event("filtered-out", { bubbles: true }));
    row.hidden = !shown;
    count += shown;
  }
  document.getElementById("found").textContent = count < rows.length ? `${count} of ${rows.length} cases` : `${count} cases`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-find]");
  if (!button) return;
  find.value = button.dataset.find;
  filter();
  find.scrollIntoView();
  find.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== find && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    find.focus();
  } else if (event.key === "Escape" && document.activeElement === find) {
    find.value = "";
    filter();
  }
});
document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
find.addEventListener("input", filter);
