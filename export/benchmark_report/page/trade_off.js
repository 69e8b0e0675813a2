// Accuracy against latency, size and memory, and the files that no other one beats.

const LATENCIES = [
  ["latency_p50_ms", "p50"],
  ["latency_p90_ms", "p90"],
  ["latency_p99_ms", "p99"],
  ["latency_mean_ms", "mean"],
  ["latency_min_ms", "minimum"],
  ["first_ms", "first inference"],
];
const COLOR_KEYS = [
  ["recipe", "recipe"],
  ["network", "network"],
  ["data", "data set"],
  ["place", "place"],
  ["host", "host"],
  ["num_threads", "threads"],
  ["runtime", "runtime"],
];
const MAX_LISTED = 12; // numbered dots of a figure

const HOST_KEYS = ["data", "place", "host"];
const ON_A_HOST = grouped(HOST_KEYS);
const ON_A_DATA_SET = grouped(["data"]);

// The costs: `groups` are the rows that compete, which share the fields of `group`; `choices` are
// the other fields that a cost depends on.
function costs() {
  const { value: key, selectedOptions } = byId("latency");
  const name = selectedOptions[0].textContent;
  const heading = key === "first_ms" ? "First inference" : `Latency (${name})`;
  const onHost = { groups: ON_A_HOST, group: HOST_KEYS, choices: ["num_threads"], scale: 1 };
  return [
    { heading, key, unit: "ms", ...onHost },
    {
      heading: "Size", key: "size_bytes", unit: "kB", scale: 1e-3,
      groups: ON_A_DATA_SET, group: ["data"], choices: [],
    },
    { heading: "Peak memory", key: "peak_rss_mb", unit: "MiB", ...onHost },
  ];
}

// Return the points that no other one beats by being cheaper and as accurate, or as cheap and more
// accurate. They are sorted by cost, and so by accuracy. Of equal points, the first remains.
function paretoFront(points) {
  const front = [];
  for (const point of points) {
    let [low, high] = [0, front.length]; // to the first one that costs more
    while (low < high) {
      const middle = (low + high) >> 1;
      if (front[middle].cost <= point.cost) low = middle + 1;
      else high = middle;
    }
    if (low > 0 && front[low - 1].accuracy >= point.accuracy) continue;
    let end = low;
    while (end < front.length && front[end].accuracy <= point.accuracy) end += 1;
    const start = low > 0 && front[low - 1].cost === point.cost ? low - 1 : low;
    front.splice(start, end - start, point);
  }
  return front;
}

// Return the color of each value of a field: the most frequent values have their own.
function colorsFor(key, rows) {
  const { values, codes } = coded(key);
  const counts = new Map();
  for (const row of rows) counts.set(codes[row], (counts.get(codes[row]) ?? 0) + 1);
  const shown = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || a - b);
  const own = shown.slice(0, COLORS - 1).sort((a, b) => a - b);
  const order = [...own, ...shown.slice(COLORS - 1)];
  const colors = new Map(order.map((code, index) => [code, colorOf(index)]));
  const key_ = own.map((code) => [String(values[code] ?? "unknown"), colors.get(code)]);
  if (order.length > own.length) key_.push([`${order.length - own.length} others`, "muted"]);
  return { key: key_, of: (row) => colors.get(codes[row]) };
}

function accuracyText(row) {
  const [low, high] = [value("accuracy_low", row), value("accuracy_high", row)];
  const text = `${(100 * value("accuracy", row)).toFixed(2)}${NO_BREAK}%`;
  if (low === null) return text;
  return `${text} (${(100 * low).toFixed(1)}–${(100 * high).toFixed(1)})`;
}

// Name a row by its file and by those fields that differ within the rows of a figure.
function describer(rows, keys) {
  const differing = keys.filter((key) => {
    const first = value(key, rows[0]);
    return rows.some((row) => value(key, row) !== first);
  });
  return (row, name) => {
    const parts = differing.map((key) => {
      const each = value(key, row);
      return key === "num_threads" ? plural(each, "thread") : each;
    });
    return [name, ...parts].filter((part) => part !== null).join(", ");
  };
}

function drawTradeOff(rows) {
  const known = rows.filter((row) => value("accuracy", row) !== null);
  const container = byId("trade-off-figures");
  container.replaceChildren();
  showTradeOffNotes(rows, known);
  const colors = colorsFor(byId("color").value, known);
  const entries = colors.key.map(([text, color]) => keyEntry(text, color));
  byId("color-key").replaceChildren(...entries);
  for (const name of ["color-key", "trade-off-figures"]) byId(name).hidden = known.length === 0;
  if (!known.length) return;
  // All are in place before the first is drawn, so that the page is laid out once.
  const drawn = costs().map((cost) => {
    const heading = element("h3", {}, `Accuracy against ${lower(cost.heading)}`);
    const canvas = element("div", { class: "canvas" });
    const caption = element("figcaption");
    container.append(element("figure", {}, heading, canvas, caption));
    return { cost, canvas, caption };
  });
  const widths = drawn.map(({ canvas }) => canvas.clientWidth);
  drawn.forEach(({ cost, canvas, caption }, index) => {
    drawCost(cost, canvas, caption, widths[index], known, colors);
  });
}

function lower(text) {
  return text[0].toLowerCase() + text.slice(1);
}

function showTradeOffNotes(rows, known) {
  const notes = [];
  const missing = rows.filter((row) => value("accuracy", row) === null);
  const untrained = missing.filter((row) => value("untrained", row)).length;
  const unknown = missing.length - untrained;
  if (untrained) {
    const measured = plural(untrained, "measurement");
    notes.push(`${measured} of untrained networks, which have no accuracy.`);
  }
  if (unknown) {
    notes.push(
      `${plural(unknown, "measurement")} of files whose accuracy is not known. To show it, name ` +
        "the folder of their export.json with --exports.",
    );
  }
  const groups = new Set(known.map((row) => ON_A_HOST[row])).size;
  if (groups > 1) {
    notes.push(
      `The selection has ${groups} pairs of a data set and a host. Each has a front of its own.`,
    );
  }
  if (!rows.length) notes.push("No measurement fits the filters.");
  const box = byId("trade-off-notes");
  box.replaceChildren(...notes.map((note) => element("p", {}, note)));
  box.hidden = notes.length === 0;
}

function drawCost(cost, canvas, caption, width, rows, colors) {
  const [field, accuracies] = [FIELDS[cost.key], FIELDS.accuracy];
  const points = [];
  for (const row of rows) {
    if (field[row] === null) continue;
    points.push({ row, cost: field[row] * cost.scale, accuracy: 100 * accuracies[row] });
  }
  if (!points.length) {
    caption.append("It is not known for any file of the selection.");
    return;
  }
  const fronts = frontsOf(points, cost);
  const listed = fronts.flat().slice(0, MAX_LISTED);
  const ends = listed.flatMap(({ row, accuracy }) =>
    [value("accuracy_low", row), value("accuracy_high", row)].map((end) =>
      end === null ? accuracy : 100 * end,
    ),
  );
  const title = `${cost.heading}, ${cost.unit}`;
  const { svg, x, y } = makeFrame(width, {
    xs: makeScale(points.map((point) => point.cost), 5),
    ys: makeScale(points.map((point) => point.accuracy).concat(ends), 5, 100),
    label: `Top-1 accuracy in % against ${lower(title)}, ${plural(points.length, "dot")}.`,
    title,
  });
  for (const front of fronts) {
    const steps = front.map((point, index) => {
      const [left, top] = [round(x(point.cost)), round(y(point.accuracy))];
      return index ? `H${left}V${top}` : `M${left} ${top}`;
    });
    svg.append(svgElement("path", { d: steps.join(""), class: "front" }));
  }
  const describe = describer(rows, ["place", "host", ...cost.choices]);
  const byColor = new Map();
  for (const point of points) {
    point.x = x(point.cost);
    point.y = y(point.accuracy);
    const color = colors.of(point.row);
    if (!byColor.has(color)) byColor.set(color, []);
    byColor.get(color).push(point);
  }
  for (const [color, each] of byColor) svg.append(dots(each, color, "dots"));
  listed.forEach((point, index) => drawNumber(svg, point, index + 1, y, colors.of(point.row)));
  canvas.append(svg);
  showTips(svg, points, ({ row, cost: amount }) => [
    describe(row, value("name", row)),
    `${significant(amount)} ${cost.unit}, top-1 ${accuracyText(row)}`,
    `on ${value("data", row) ?? "unknown data"}`,
  ]);
  listFronts(caption, fronts, cost, rows);
}

// Return the front of each group, that with the most points first.
function frontsOf(points, { groups }) {
  const found = new Map();
  for (const point of points) {
    const group = groups[point.row];
    if (!found.has(group)) found.set(group, []);
    found.get(group).push(point);
  }
  return [...found.values()].map(paretoFront).sort((a, b) => b.length - a.length);
}

function drawNumber(svg, point, number, y, color) {
  const [low, high] = [value("accuracy_low", point.row), value("accuracy_high", point.row)];
  if (low !== null) {
    const d = `M${round(point.x)} ${round(y(100 * high))}V${round(y(100 * low))}`;
    svg.append(svgElement("path", { d, class: "interval", style: `stroke: var(--${color})` }));
  }
  svg.append(dots([point], color, "best"));
  const place = { x: round(point.x), y: round(point.y) + 4, class: "number" };
  svg.append(svgElement("text", place, String(number)));
}

// List the numbered points, under a heading for each front if there are several.
function listFronts(caption, fronts, cost, rows) {
  const describe = describer(rows, cost.choices);
  let number = 0;
  for (const front of fronts) {
    const shown = front.slice(0, MAX_LISTED - number);
    if (!shown.length) break;
    if (fronts.length > 1) {
      const heading = cost.group.map((key) => value(key, front[0].row) ?? "unknown data");
      caption.append(element("p", {}, heading.join(", ")));
    }
    const items = shown.map((point) => {
      const name = element("b", {}, ...breakable(describe(point.row, value("name", point.row))));
      const text = `: ${accuracyText(point.row)}, ${significant(point.cost)}${NO_BREAK}${cost.unit}`;
      return element("li", {}, name, text);
    });
    caption.append(element("ol", { class: "front-list", start: number + 1 }, ...items));
    number += shown.length;
  }
  const left = fronts.flat().length - number;
  if (left > 0) {
    const hint = "choose a data set and a host";
    caption.append(element("p", {}, `${plural(left, "more dot")} on the fronts: ${hint}.`));
  }
}
