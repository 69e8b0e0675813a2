// Which rows are shown: the choices of the form, and the address that keeps them.

const FACETS = [
  ["place", "Place"],
  ["host", "Host"],
  ["network", "Network"],
  ["data", "Data set"],
  ["recipe", "Recipe"],
  ["num_threads", "Threads"],
  ["runtime", "Runtime"],
].map(([key, heading]) => {
  const { values, codes } = coded(key);
  return { key, heading, values, codes, chosen: new Set(), boxes: [], counts: [] };
});

const REPEATED = (() => {
  // The runtime without its version: a new one replaces the measurements of the old one.
  const names = coded("runtime").values.map((each) => each.split(" ")[0]);
  const runtimes = coded("runtime").codes.map((code) => names.indexOf(names[code]));
  const groups = grouped(["sha256", "place", "host", "num_threads"]);
  return groups.map((group, row) => group * names.length + runtimes[row]);
})();

const LOWER_NAMES = coded("name").values.map((each) => each.toLowerCase());

function facetText(facet, code) {
  const each = facet.values[code];
  return each === null ? "unknown" : String(each);
}

// Return the rows that fit all choices, oldest first, and count for each facet and value the rows
// that fit the other choices.
function filteredRows() {
  const words = byId("text").value.toLowerCase().split(/\s+/).filter(Boolean);
  const named = LOWER_NAMES.map((name) => words.every((word) => name.includes(word)));
  const names = FIELDS.name.codes;
  const rows = [];
  for (const facet of FACETS) facet.counts = new Array(facet.values.length).fill(0);
  for (let row = 0; row < DATA.count; row++) {
    if (!named[names[row]]) continue;
    let missed = null;
    let misses = 0;
    for (const facet of FACETS) {
      if (facet.chosen.size && !facet.chosen.has(facet.codes[row])) {
        missed = facet;
        misses += 1;
      }
    }
    if (misses === 0) {
      rows.push(row);
      for (const facet of FACETS) facet.counts[facet.codes[row]] += 1;
    } else if (misses === 1) {
      missed.counts[missed.codes[row]] += 1;
    }
  }
  return rows;
}

function latestRows(rows) {
  const last = new Map();
  for (const row of rows) last.set(REPEATED[row], row);
  return [...last.values()].sort((a, b) => a - b);
}

function buildFilters(update) {
  for (const facet of FACETS) {
    // A single data set or runtime needs no filter.
    if (facet.values.length < 2 && ["data", "runtime"].includes(facet.key)) continue;
    facet.label = element("span", { class: "chosen" });
    const list = element("div", { class: "choices", role: "group", "aria-label": facet.heading });
    facet.values.forEach((_, code) => {
      const box = element("input", { type: "checkbox" });
      const count = element("span", { class: "count" });
      box.addEventListener("change", () => {
        if (box.checked) facet.chosen.add(code);
        else facet.chosen.delete(code);
        update();
      });
      facet.boxes.push({ box, count });
      list.append(element("label", {}, box, element("span", {}, facetText(facet, code)), count));
    });
    const summary = element("summary", {}, element("span", {}, facet.heading), facet.label);
    facet.details = element("details", { class: "facet", name: "facet" }, summary, list);
    facet.details.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !facet.details.open) return;
      facet.details.open = false;
      summary.focus();
    });
    byId("facets").append(facet.details);
  }
  document.addEventListener("click", (event) => {
    for (const { details } of FACETS) {
      if (details && !details.contains(event.target)) details.open = false;
    }
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("text").addEventListener("input", update);
  byId("latest").addEventListener("change", update);
  byId("reset").addEventListener("click", () => {
    readAddress("");
    update();
  });
}

function showFilters() {
  for (const facet of FACETS) {
    if (!facet.details) continue;
    const [first] = facet.chosen;
    if (facet.chosen.size === 0) facet.label.textContent = "all";
    else if (facet.chosen.size === 1) facet.label.textContent = facetText(facet, first);
    else facet.label.textContent = `${facet.chosen.size} of ${facet.values.length}`;
    facet.details.classList.toggle("filtered", facet.chosen.size > 0);
    facet.boxes.forEach(({ box, count }, code) => {
      box.checked = facet.chosen.has(code);
      count.textContent = thousands(String(facet.counts[code]));
      box.parentElement.classList.toggle("none", facet.counts[code] === 0);
    });
  }
}

// The choices as the fragment of the address, so that they can be bookmarked and sent.
function address() {
  const words = new URLSearchParams();
  for (const { key, chosen, values } of FACETS) {
    for (const code of chosen) words.append(key, String(values[code] ?? ""));
  }
  if (byId("text").value) words.set("file", byId("text").value);
  if (!byId("latest").checked) words.set("latest", "no");
  return words.toString();
}

function readAddress(text) {
  const words = new URLSearchParams(text);
  for (const facet of FACETS) {
    const wanted = new Set(words.getAll(facet.key));
    facet.chosen = new Set();
    facet.values.forEach((each, code) => {
      if (wanted.has(String(each ?? ""))) facet.chosen.add(code);
    });
  }
  byId("text").value = words.get("file") ?? "";
  byId("latest").checked = words.get("latest") !== "no";
}
