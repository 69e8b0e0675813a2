// Measurements over time or over versions, one line for each file, place, host and threads.

const MEASURES = [
  ["latency_p50_ms", "latency p50, ms", 1],
  ["latency_p90_ms", "latency p90, ms", 1],
  ["latency_p99_ms", "latency p99, ms", 1],
  ["first_ms", "first inference, ms", 1],
  ["load_ms", "load, ms", 1],
  ["peak_rss_mb", "peak memory, MiB", 1],
  ["size_bytes", "size, kB", 1e-3],
  ["accuracy", "top-1 accuracy, %", 100],
];
const MAX_LINES = 8;
const DAY = 24 * 3600 * 1000;

const TIMES = FIELDS.time.codes.map((code) => Date.parse(FIELDS.time.values[code]));
const LINES = (() => {
  FIELDS.base = { codes: [], values: [] };
  const bases = new Map();
  for (let row = 0; row < DATA.count; row++) {
    const base = basename(value("file", row));
    if (!bases.has(base)) bases.set(base, bases.size);
    FIELDS.base.codes.push(bases.get(base));
  }
  FIELDS.base.values = [...bases.keys()];
  const same = ["base", "network", "data", "input", "untrained", "place", "host", "num_threads"];
  return grouped(same);
})();

// What the horizontal axis may show: the date, the runtime, and packages with several versions.
function historyAxes() {
  const axes = [["date", "date"], ["runtime", "runtime"]];
  const versions = new Map();
  for (const table of DATA.details.versions.values) {
    for (const [name, version] of Object.entries(table ?? {})) {
      if (!versions.has(name)) versions.set(name, new Set());
      versions.get(name).add(version);
    }
  }
  const several = [...versions].filter(([, found]) => found.size > 1).map(([name]) => name);
  return axes.concat(several.sort().map((name) => [`version ${name}`, `version of ${name}`]));
}

function versionOf(axis, row) {
  if (axis === "runtime") return value("runtime", row);
  return (detail("versions", row) ?? {})[axis.slice("version ".length)] ?? null;
}

// Return the lines with at least two positions, those with the most measurements first.
function historyLines(rows, measure, axis) {
  const lines = new Map();
  for (const row of rows) {
    if (value(measure, row) === null) continue;
    const at = axis === "date" ? TIMES[row] : versionOf(axis, row);
    if (at === null) continue;
    if (!lines.has(LINES[row])) lines.set(LINES[row], []);
    lines.get(LINES[row]).push({ row, at, value: value(measure, row) });
  }
  const several = [...lines.values()].filter((line) => line.some((each) => each.at !== line[0].at));
  return several.sort((a, b) => b.length - a.length);
}

// Return one point for each version of a line: the median, and the least and the greatest value.
function byVersion(line) {
  const versions = new Map();
  for (const { row, at, value: each } of line) {
    if (!versions.has(at)) versions.set(at, { row, at, values: [] });
    versions.get(at).values.push(each);
  }
  return [...versions.values()].map(({ row, at, values }) => {
    values.sort((a, b) => a - b);
    const middle = (values[Math.floor((values.length - 1) / 2)] + values[values.length >> 1]) / 2;
    return { row, at, value: middle, low: values[0], high: values.at(-1), count: values.length };
  });
}

function scaled(line, factor) {
  return line.map((each) => {
    const [middle, low, high] = [each.value, each.low ?? each.value, each.high ?? each.value];
    return { ...each, value: middle * factor, low: low * factor, high: high * factor };
  });
}

function drawHistory(rows) {
  const measure = byId("history-measure").value;
  const axis = byId("history-by").value;
  const relative = byId("relative").checked;
  const [, name, scale] = MEASURES.find((each) => each[0] === measure);
  const title = relative ? `${name.split(", ")[0]}, % of the first` : name;
  const found = historyLines(rows, measure, axis);
  const lines = found.slice(0, MAX_LINES).map((line) => (axis === "date" ? line : byVersion(line)));
  const shown = lines.map((line) => scaled(line, relative ? 100 / line[0].value : scale));
  const canvas = byId("history-figure");
  canvas.replaceChildren();
  byId("history-title").textContent = title[0].toUpperCase() + title.slice(1);
  byId("history-key").replaceChildren();
  byId("history-caption").textContent = historyCaption(found.length, axis);
  if (!shown.length) return;
  const firsts = shown.map((line) => line[0].row);
  const describe = describer(firsts, ["data", "input", "place", "host", "num_threads"]);
  const names = shown.map((line) => describe(line[0].row, value("base", line[0].row)));
  const values = shown.flat().flatMap((each) => [each.low, each.high]);
  const width = canvas.clientWidth;
  const { xs, xTicks, position } = historyScale(shown.flat(), axis, width);
  const { svg, x, y } = makeFrame(width, {
    xs,
    xTicks,
    ys: makeScale(values, 5, measure === "accuracy" && !relative ? 100 : Infinity),
    height: 320,
    label: `${title} by ${axis}: ${names.join("; ")}.`,
  });
  const points = [];
  shown.forEach((line, index) => {
    const color = `run${index + 1}`;
    const sorted = line.map((each) => ({ ...each, at: position(each.at), text: each.at }));
    sorted.sort((a, b) => a.at - b.at);
    const path = sorted.map((each) => `${round(x(each.at))} ${round(y(each.value))}`);
    const style = `stroke: var(--${color})`;
    svg.append(svgElement("path", { d: `M${path.join("L")}`, class: "line", style }));
    drawHistoryMarks(svg, sorted, x, y, color, axis);
    for (const each of sorted) {
      points.push({ x: x(each.at), y: y(each.value), each, name: names[index] });
    }
    byId("history-key").append(keyEntry(names[index], color));
  });
  canvas.append(svg);
  showTips(svg, points, ({ each, name }) => historyTip(each, name, title));
}

function drawHistoryMarks(svg, line, x, y, color, axis) {
  const ranges = line.filter((each) => each.count > 1);
  const d = ranges.map(
    (each) => `M${round(x(each.at))} ${round(y(each.low))}V${round(y(each.high))}`,
  );
  const style = `stroke: var(--${color})`;
  if (d.length) svg.append(svgElement("path", { d: d.join(""), class: "interval", style }));
  const all = line.map((each) => ({ x: x(each.at), y: y(each.value) }));
  if (line.length <= 200) svg.append(dots(all, color, "dots"));
  if (axis !== "date") return;
  const changed = line.filter((each, index) => {
    return index > 0 && value("sha256", each.row) !== value("sha256", line[index - 1].row);
  });
  for (const each of changed.slice(0, 200)) {
    const place = { cx: round(x(each.at)), cy: round(y(each.value)), r: 6, class: "ring", style };
    svg.append(svgElement("circle", place));
  }
}

function historyTip(each, name, title) {
  const [what, unit] = title.split(", ");
  const lines = [name, `${what} ${significant(each.value)} ${unit}`];
  if (each.count > 1) {
    const range = `${significant(each.low)}–${significant(each.high)} ${unit}`;
    lines.push(`median of ${each.count}, ${range}`);
  }
  const when = value("time", each.row).slice(0, 16).replace("T", " ");
  const dated = typeof each.text === "number";
  lines.push(dated ? `${when} UTC, ${value("runtime", each.row)}` : each.text);
  return lines;
}

function historyCaption(count, axis) {
  if (count === 0) {
    return axis === "date"
      ? "No file of the selection was measured twice on the same host with the same threads."
      : "No file of the selection was measured with two versions.";
  }
  const shown = `${MAX_LINES} of ${thousands(String(count))} are shown`;
  const rest = ` ${shown}, those with the most measurements: filter for others.`;
  const how =
    axis === "date"
      ? "One line for each file name, place, host and number of threads. A ring marks a file " +
        "whose content has changed."
      : "Medians, with the range of the measurements of each version.";
  return count > MAX_LINES ? how + rest : how;
}

// Return the horizontal scale, its ticks, and where a date or a version lies on it.
function historyScale(points, axis, width) {
  if (axis !== "date") {
    const versions = [...new Set(points.map((each) => each.at))];
    versions.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    const xs = { at: (each) => (each + 0.5) / versions.length };
    const every = Math.ceil((versions.length * 110) / Math.max(width, 260));
    const all = versions.map((each, index) => [index, each]);
    const ticks = all.filter(([index]) => index % every === 0);
    const places = new Map(versions.map((each, index) => [each, index]));
    return { xs, xTicks: ticks, position: (each) => places.get(each) };
  }
  const times = points.map((each) => each.at);
  let [low, high] = [Infinity, -Infinity];
  for (const each of times) [low, high] = [Math.min(low, each), Math.max(high, each)];
  const span = high - low;
  const xs = { at: (each) => 0.02 + (0.96 * (each - low)) / span };
  const ticks = timeTicks(low, high, Math.max(2, Math.floor(Math.max(width, 260) / 120)));
  return { xs, xTicks: ticks, position: (each) => each };
}

// Return round times within a range with their texts, at most `most`; the ends if none is round.
function timeTicks(low, high, most) {
  const days = [1, 2, 7, 14, 30, 61, 91, 183, 365, 730, 3650].map((each) => each * DAY);
  const steps = [1e3, 1e4, 6e4, 6e5, 36e5, 6 * 36e5, ...days];
  const step = steps.find((each) => (high - low) / each <= most) ?? high - low;
  let times = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) times.push(at);
  if (times.length < 2) times = [low, high];
  return times.map((at) => {
    const text = new Date(at).toISOString();
    if (high - low >= DAY) return [at, text.slice(0, 10)];
    return [at, text.slice(11, step < 6e4 ? 19 : 16)];
  });
}
