// Builds the controls, and draws everything again when the selection changes.

const SHOWN = { all: [], table: [], timer: 0 };

function fillSelect(id, options, draw) {
  const select = byId(id);
  for (const [key, text] of options) select.append(element("option", { value: key }, text));
  select.addEventListener("change", draw);
}

function drawFigures() {
  drawTradeOff(latestRows(SHOWN.all));
  drawHistory(SHOWN.all);
}

function sortTable() {
  SHOWN.table = sortedRows(byId("latest").checked ? latestRows(SHOWN.all) : SHOWN.all);
  drawTable(SHOWN.table);
}

function update() {
  performance.mark("update");
  byId("tip").hidden = true;
  PAGING.page = 0;
  SHOWN.all = filteredRows();
  showFilters();
  drawFigures();
  sortTable(); // last, because the figures read their width, and the table is slow to lay out
  const [shown, all] = [SHOWN.table.length, DATA.count].map((each) => thousands(String(each)));
  byId("shown").textContent = `${shown} of ${plural(DATA.count, "measurement")}`;
  clearTimeout(SHOWN.timer);
  SHOWN.timer = setTimeout(keepAddress, 50); // it is slow, and nobody waits for it
  performance.measure("update", "update");
}

function keepAddress() {
  const fragment = address();
  // A page from a file may not change its address in some browsers.
  try {
    history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname);
  } catch {
    location.hash = fragment;
  }
}

function announce(text) {
  byId("saved").textContent = text;
}

function main() {
  buildFilters(update);
  buildTable(sortTable);
  fillSelect("latency", LATENCIES, drawFigures);
  const several = COLOR_KEYS.filter(([key]) => coded(key).values.length > 1);
  fillSelect("color", several.length ? several : COLOR_KEYS.slice(0, 1), drawFigures);
  fillSelect("history-measure", MEASURES, drawFigures);
  fillSelect("history-by", historyAxes(), drawFigures);
  byId("relative").addEventListener("change", drawFigures);
  byId("save-markdown").addEventListener("click", () => {
    save("benchmarks.md", "text/markdown", toMarkdown(SHOWN.table));
    announce(`${plural(SHOWN.table.length, "row")} saved.`);
  });
  byId("save-csv").addEventListener("click", () => {
    save("benchmarks.csv", "text/csv", toCsv(SHOWN.table));
    announce(`${plural(SHOWN.table.length, "row")} saved.`);
  });
  byId("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(toMarkdown(SHOWN.table));
      announce(`${plural(SHOWN.table.length, "row")} copied.`);
    } catch {
      announce("This browser does not allow copying: save the file.");
    }
  });
  readAddress(location.hash.slice(1));
  window.addEventListener("hashchange", () => {
    readAddress(location.hash.slice(1));
    update();
  });
  let width = document.documentElement.clientWidth;
  window.addEventListener("resize", () => {
    if (width === document.documentElement.clientWidth) return;
    width = document.documentElement.clientWidth;
    drawFigures();
  });
  update();
}

main();
