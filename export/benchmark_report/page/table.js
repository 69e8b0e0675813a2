// The table of measurements: sorted, in pages, and as Markdown and CSV.

const PAGE_SIZE = 25;
const SORTING = { key: "time", ascending: false };
const PAGING = { page: 0 };

// Columns that are the same for all measurements are left out; their value stands above the table.
const COLUMNS_SHOWN = DATA.columns.filter(({ key, kind }) => {
  const always = ["name", "network", "recipe", "num_threads", "accuracy", "time"].includes(key);
  return always || kind !== "text" || coded(key).values.length > 1;
});

// Return a cell as text; as `cell` in table.py.
function cellText(row, { key, kind }) {
  const each = value(key, row);
  if (key === "accuracy" && value("untrained", row)) return "untrained";
  if (each === null) return DASH;
  if (kind === "significant") return significant(each);
  if (kind === "percent") return (100 * each).toFixed(2);
  if (kind === "points") return each.toFixed(2).replace(/^-0\.00$/, "0.00").replace("-", "−");
  if (kind === "tenths") return thousands(each.toFixed(1));
  if (kind === "kilobytes") return thousands((each / 1000).toFixed(1));
  if (kind === "delegated") return `${each}/${value("nodes", row) ?? DASH}`;
  if (kind === "time") return `${each.slice(0, 10)} ${each.slice(11, 16)}`;
  return String(each);
}

// Sort rows by a column; what is not known comes last.
function sortedRows(rows) {
  const field = FIELDS[SORTING.key];
  const direction = SORTING.ascending ? 1 : -1;
  if (Array.isArray(field)) {
    const [known, unknown] = [[], []];
    for (const row of rows) (field[row] === null ? unknown : known).push(row);
    known.sort((a, b) => direction * (field[a] - field[b]) || a - b);
    return known.concat(unknown);
  }
  const last = field.values.indexOf(null);
  const rank = (row) => (field.codes[row] === last ? direction * Infinity : field.codes[row]);
  return [...rows].sort((a, b) => compare(rank(a), rank(b)) * direction || a - b);
}

function compare(a, b) {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function buildTable(update) {
  const head = element("tr");
  const select = byId("sort");
  for (const column of COLUMNS_SHOWN) {
    const [name, unit] = column.heading.split(", ");
    const button = element("button", { type: "button" }, name);
    if (unit) button.append(element("br"), unit);
    const kind = column.kind === "text" ? "text" : null;
    const cell = element("th", { scope: "col", class: kind }, button);
    column.cell = cell;
    button.addEventListener("click", () => {
      const same = SORTING.key === column.key;
      SORTING.ascending = same ? !SORTING.ascending : ascendsFirst(column);
      SORTING.key = column.key;
      PAGING.page = 0;
      update();
    });
    head.append(cell);
    select.append(element("option", { value: column.key }, column.heading));
  }
  document.querySelector("#table thead").append(head);
  select.addEventListener("change", () => {
    SORTING.key = select.value;
    SORTING.ascending = ascendsFirst(COLUMNS_SHOWN.find(({ key }) => key === select.value));
    PAGING.page = 0;
    update();
  });
  byId("direction").addEventListener("click", () => {
    SORTING.ascending = !SORTING.ascending;
    PAGING.page = 0;
    update();
  });
  for (const [id, step] of [["previous", -1], ["next", 1]]) {
    byId(id).addEventListener("click", () => {
      PAGING.page += step;
      update();
    });
  }
}

// Accuracy and dates are sorted from the top, all else from the bottom.
function ascendsFirst({ key }) {
  return key !== "accuracy" && key !== "time";
}

function drawTable(rows) {
  const pages = Math.max(1, Math.ceil(rows.length / PAGE_SIZE));
  PAGING.page = Math.min(PAGING.page, pages - 1);
  const start = PAGING.page * PAGE_SIZE;
  const table = byId("table");
  for (const body of [...table.tBodies]) body.remove();
  table.append(...rows.slice(start, start + PAGE_SIZE).map(tableBody));
  for (const column of COLUMNS_SHOWN) {
    const order = SORTING.ascending ? "ascending" : "descending";
    if (column.key === SORTING.key) column.cell.setAttribute("aria-sort", order);
    else column.cell.removeAttribute("aria-sort");
  }
  byId("sort").value = SORTING.key;
  byId("direction").textContent = SORTING.ascending ? "ascending" : "descending";
  byId("previous").disabled = PAGING.page === 0;
  byId("next").disabled = PAGING.page === pages - 1;
  const end = Math.min(start + PAGE_SIZE, rows.length);
  const [from, to, all] = [rows.length ? start + 1 : 0, end, rows.length];
  byId("page").textContent = [from, to].map((each) => thousands(String(each))).join("–") +
    ` of ${thousands(String(all))}`;
}

// A row with a heading that shows its details.
function tableBody(row) {
  const [first, ...others] = COLUMNS_SHOWN;
  const button = element("button", { type: "button", "aria-expanded": "false" });
  button.append(...breakable(cellText(row, first)));
  const line = element("tr", {}, element("th", { scope: "row" }, button));
  for (const column of others) {
    const cell = element("td", { "data-label": column.heading }, cellText(row, column));
    if (["text", "time"].includes(column.kind)) cell.className = `${column.kind} ${column.key}`;
    if (column.key === "accuracy" && value("untrained", row)) cell.classList.add("untrained");
    line.append(cell);
  }
  const body = element("tbody", {}, line);
  button.addEventListener("click", () => {
    const opened = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!opened));
    if (opened) body.lastChild.remove();
    else body.append(detailsRow(row));
  });
  return body;
}

// A name that may be broken after an underscore or a slash.
function breakable(name) {
  return name.split(/(?<=[_/])/).flatMap((part) => [part, element("wbr")]);
}

function detailsRow(row) {
  const list = element("dl", { class: "details" });
  for (const [name, text] of details(row)) {
    list.append(element("div", {}, element("dt", {}, name), element("dd", {}, text)));
  }
  const cell = element("td", { colspan: COLUMNS_SHOWN.length }, list);
  return element("tr", { class: "why" }, cell);
}

function details(row) {
  const [host, versions, digest] = ["host", "versions", "digest"].map((key) => detail(key, row));
  const pairs = (table) => Object.entries(table ?? {}).map(([key, each]) => `${key} ${each}`);
  const found = [
    ["file", value("file", row)],
    ["SHA-256", value("sha256", row)],
    ["measured", value("time", row)],
    ["place", value("place", row)],
    ["host", describeHost(host)],
    ["runtime", value("runtime", row)],
    ["versions", pairs(versions).join(", ")],
    ["weights", value("dtype", row)],
    ["activations", value("activation_dtype", row)],
    ["images", value("inputs", row)],
    ["latency minimum, ms", significant(value("latency_min_ms", row))],
    ["latency mean, ms", significant(value("latency_mean_ms", row))],
    ["outputs", describeDigest(digest)],
  ];
  if (value("accuracy", row) !== null) found.push(["top-1", accuracyText(row)]);
  return found.filter(([, text]) => text);
}

function describeHost(host) {
  const { cores, memory_mb: mebibytes, instructions } = host;
  const memory = mebibytes ? `${(mebibytes / 1024).toFixed(1)} GiB` : null;
  const parts = [host.model, host.soc, host.cpu, cores ? plural(cores, "core") : null];
  parts.push(host.architecture, memory, (instructions ?? []).join(" "), host.governor);
  parts.push(host.os, host.kernel, host.browser);
  return parts.filter(Boolean).join(", ");
}

function describeDigest(digest) {
  if (!digest) return null;
  const { images, equal, rule, agreement, max_difference } = digest;
  if (equal) return `equal for ${images} images`;
  const unit = rule === "static" ? " quantization steps" : " of the largest output";
  const agreed = `${(100 * agreement).toFixed(1)} % of ${images} predictions equal`;
  return `${agreed}, within ${Number(max_difference.toPrecision(2))}${unit}`;
}

// As `escape_markdown` in cnn_keras/report/templates.py.
function escapeMarkdown(text) {
  const spaced = text.split(/\s+/).filter(Boolean).join(" ");
  const escaped = spaced.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return escaped.replace(/[\\`*[\]|]/g, (sign) => `\\${sign}`);
}

function toMarkdown(rows) {
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const columns = DATA.columns;
  const align = columns.map(({ kind }) => (["text", "time"].includes(kind) ? ":---" : "---:"));
  const head = line(columns.map(({ heading }) => heading)) + line(align);
  const cells = (row) => columns.map((column) => escapeMarkdown(cellText(row, column)));
  const body = rows.map((row) => line(cells(row)));
  return head + body.join("");
}

function toCsv(rows) {
  const keys = DATA.order;
  const quoted = (each) => {
    const text = each === null ? "" : String(each);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = rows.map((row) => keys.map((key) => quoted(value(key, row))).join(","));
  return [keys.join(","), ...lines].join("\n") + "\n";
}

function save(name, type, text) {
  const link = element("a", { download: name });
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
