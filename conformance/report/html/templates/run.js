"use strict";
const evidence = JSON.parse(document.getElementById("evidence").textContent);
const again = document.getElementById("again").textContent;

const MEANS = { ".": "passes", X: "is blocked", "~": "changes", "?": "could not be measured" };
const CLASSES = { ".": "passes", X: "blocked", "~": "unstable", "?": "unknown" };

function made(tag, content, attributes) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  for (const each of [].concat(content)) element.append(each);
  return element;
}

function changes(title, list) {
  if (!list.length) return [];
  const items = list.map((each) =>
    made("li", each.yaml ? [each.what + ":", made("pre", each.yaml, { tabindex: 0 })] : each.what),
  );
  return [made("p", title), made("ul", items)];
}

function grid(caption, step, shown, other) {
  const head = step.destinations.map((name) => made("th", made("span", name), { scope: "col" }));
  const body = step.sources.map((source, row) => {
    const cells = step.destinations.map((destination, column) => {
      const mark = shown[row][column];
      if (mark === " ") return made("td", "");
      const differs = other !== null && other[row][column] !== mark;
      const flow = `${source} to ${destination}: ${MEANS[mark]}${differs ? ", which differs" : ""}`;
      return made("td", mark, { class: CLASSES[mark] + (differs ? " differs" : ""), title: flow });
    });
    return made("tr", [made("th", source, { scope: "row" }), ...cells]);
  });
  const table = [made("thead", made("tr", [made("td", ""), ...head])), made("tbody", body)];
  return made("figure", [made("figcaption", caption), made("table", table, { class: "grid", "aria-label": caption })]);
}

function grids(step) {
  if (!step.grids.length) return [made("p", "This record was written before records held the matrix.")];
  const differing = step.grids.filter((each) => each.observed !== null);
  const agreeing = step.grids.filter((each) => each.observed === null);
  const pairs = differing.map((each) => {
    const ports = each.ports.join(", ");
    const must = grid(`${ports}: must be seen`, step, each.expected, each.observed);
    return made("div", [must, grid(`${ports}: was seen`, step, each.observed, each.expected)], { class: "grids" });
  });
  const rest = agreeing.map((each) => grid(`${each.ports.join(", ")}: must be seen, and was`, step, each.expected, null));
  const legend = "Rows are sources, columns destinations, as namespace/pod. A dot passes, X is blocked" +
    (pairs.length ? "; what differs is framed." : ".");
  return [made("p", legend, { class: "short" }), ...pairs, ...(rest.length ? [made("div", rest, { class: "grids" })] : [])];
}

function finding(each) {
  const flows = made("pre", each.flows.join("\n"), { tabindex: 0 });
  const because = each.because.map((reason) => made("li", reason));
  return made("div", [made("p", made("strong", each.what)), flows, made("p", `${each.must} because`), made("ul", because)]);
}

function deciding(step) {
  if (!step.deciding.length) return [];
  const title = step.deciding.length > 1 ? "The policies that decide it:" : "The policy that decides it:";
  return [made("p", title), ...step.deciding.map((each) => made("pre", each, { tabindex: 0 }))];
}

function step(each, number, many, folded) {
  const title = many > 1 ? `Step ${number + 1} of ${many}: ${each.name}` : `Step: ${each.name}`;
  const commands = each.commands.length
    ? [made("p", "To see it by hand, in a run with --keep:"), made("pre", each.commands.join("\n"), { tabindex: 0 })]
    : [];
  const parts = [
    ...each.findings.map(finding),
    ...deciding(each),
    ...grids(each),
    ...changes("What this step changes:", each.changes),
    made("p", each.numbers, { class: "short" }),
    ...commands,
  ];
  return folded
    ? made("details", [made("summary", `${title}: as it must be`), ...parts])
    : made("section", [made("h4", title), ...parts]);
}

function page(shown) {
  const wrong = shown.steps.some((each) => each.findings.length);
  const told = [];
  if (shown.waiver) told.push(made("p", `Waived: ${shown.waiver}`));
  if (shown.hint) told.push(made("p", `What to do: ${shown.hint}`));
  for (const note of shown.notes) told.push(made("p", `Note: ${note}`));
  return [
    made("p", ["Case file ", made("code", shown.path), ", ", made("a", "specification", { href: shown.spec })]),
    ...told,
    ...changes("Before the first step:", shown.setup),
    ...shown.steps.map((each, number, all) => step(each, number, all.length, wrong && !each.findings.length)),
    made("p", "To run this case again:"),
    made("pre", `${again} -k ${shown.id}`, { tabindex: 0 }),
  ];
}

function toggle(row, open) {
  const button = row.querySelector("button");
  const isOpen = button.getAttribute("aria-expanded") === "true";
  if (open === isOpen) return;
  if (isOpen) {
    row.nextElementSibling.remove();
  } else {
    const cell = made("td", page(evidence[row.id]), { colspan: row.cells.length });
    row.after(made("tr", cell, { class: "evidence" }));
  }
  button.setAttribute("aria-expanded", String(!isOpen));
}

function goTo(id) {
  const row = document.getElementById(id);
  if (!row || !rows.includes(row)) return;
  if (row.hidden) {
    find.value = "";
    filter();
  }
  toggle(row, true);
  row.scrollIntoView();
  row.querySelector("button").focus({ preventScroll: true });
}

document.getElementById("list").addEventListener("click", (event) => {
  const button = event.target.closest("button[aria-expanded]");
  if (button) toggle(button.closest("tr"));
});
document.addEventListener("filtered-out", (event) => toggle(event.target, false));
window.addEventListener("hashchange", () => goTo(decodeURIComponent(location.hash.slice(1))));
goTo(decodeURIComponent(location.hash.slice(1)));
