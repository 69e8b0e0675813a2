// Axes and marks of the figures, as SVG in the colors of style.css.

const LETTER = 7; // width of a letter, about
const MARGIN = { left: 48, right: 14, top: 14, bottom: 40 };

function svgElement(name, attributes = {}, text = null) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, each] of Object.entries(attributes)) made.setAttribute(key, each);
  if (text !== null) made.textContent = text;
  return made;
}

// Return round numbers within a range, about `most` of them.
function linearTicks(low, high, most) {
  const raw = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= raw) ?? 10);
  const ticks = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) ticks.push(index * step);
  return ticks;
}

function logTicks(low, high, most) {
  const decades = [];
  for (let each = Math.floor(Math.log10(low)); 10 ** each <= high; each++) decades.push(each);
  const sets = [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]];
  let ticks = [];
  for (const digits of sets) {
    const found = decades.flatMap((each) => digits.map((digit) => digit * 10 ** each));
    const within = found.filter((each) => each >= low && each <= high);
    if (ticks.length >= 3 && within.length > most) break;
    ticks = within;
    if (ticks.length >= 4) break;
  }
  if (ticks.length < 2) return linearTicks(low, high, 3);
  const every = Math.ceil(ticks.length / most);
  return ticks.filter((_, index) => index % every === 0);
}

// Return the scale of an axis for values: `at` maps a value to a share of the axis.
// It is logarithmic if all are positive and the largest is more than four times the smallest.
// It does not go beyond `top`.
function makeScale(values, most, top = Infinity) {
  let [low, high] = [Infinity, -Infinity];
  for (const each of values) {
    if (each < low) low = each;
    if (each > high) high = each;
  }
  if (low > high) [low, high] = [0, 1];
  if (low > 0 && high > 4 * low) {
    const factor = (high / low) ** 0.06;
    [low, high] = [low / factor, high * factor];
    const span = Math.log(high / low);
    return { at: (each) => Math.log(each / low) / span, ticks: logTicks(low, high, most) };
  }
  const margin = 0.08 * (high - low) || Math.abs(high) / 20 || 1;
  low = low >= 0 ? Math.max(0, low - margin) : low - margin;
  high = Math.min(top, high + margin);
  return { at: (each) => (each - low) / (high - low), ticks: linearTicks(low, high, most) };
}

function tickText(tick) {
  return thousands(String(Number(tick.toPrecision(6))));
}

// A frame with axes. `x` and `y` map values to positions.
function makeFrame(available, { xs, ys, xTicks = null, height = null, label, title }) {
  const width = Math.max(260, available);
  const tall = height ?? Math.round(Math.min(340, 0.78 * width));
  const svg = svgElement("svg", {
    viewBox: `0 0 ${width} ${tall}`, role: "img", "aria-label": label, class: "plot",
  });
  const right = width - MARGIN.right;
  const bottom = tall - MARGIN.bottom;
  const x = (each) => MARGIN.left + xs.at(each) * (right - MARGIN.left);
  const y = (each) => bottom - ys.at(each) * (bottom - MARGIN.top);
  const grid = ys.ticks.map((tick) => `M${MARGIN.left} ${round(y(tick))}H${right}`).join("");
  svg.append(svgElement("path", { d: grid, class: "grid" }));
  for (const tick of ys.ticks) {
    const place = { x: MARGIN.left - 8, y: round(y(tick)) + 4, "text-anchor": "end" };
    svg.append(svgElement("text", place, tickText(tick)));
  }
  const ticks = xTicks ?? xs.ticks.map((tick) => [tick, tickText(tick)]);
  let free = -Infinity; // the end of the last text
  for (const [tick, text] of ticks) {
    const anchor = x(tick) > right - 20 ? "end" : "middle";
    const width = LETTER * text.length;
    const left = x(tick) - (anchor === "end" ? width : width / 2);
    if (left < free + LETTER) continue;
    free = left + width;
    const place = { x: round(x(tick)), y: bottom + 18, "text-anchor": anchor };
    svg.append(svgElement("text", place, text));
  }
  const place = { x: (MARGIN.left + right) / 2, y: tall - 4, "text-anchor": "middle" };
  if (title) svg.append(svgElement("text", place, title));
  svg.append(svgElement("path", { d: `M${MARGIN.left} ${bottom}H${right}`, class: "axis" }));
  return { svg, x, y, right, bottom };
}

function round(number) {
  return Math.round(10 * number) / 10;
}

// Many dots of a color are one path: a line of length zero has a round cap. Of dots that nearly
// cover each other, one is drawn.
function dots(points, color, name) {
  const drawn = new Set();
  const parts = [];
  for (const { x, y } of points) {
    const cell = Math.round(x) * 1e4 + Math.round(y);
    if (drawn.has(cell)) continue;
    drawn.add(cell);
    parts.push(`M${round(x)} ${round(y)}h0`);
  }
  return svgElement("path", { d: parts.join(""), class: name, style: `stroke: var(--${color})` });
}

function colorOf(index) {
  return index < COLORS - 1 ? `run${index + 1}` : "muted";
}

function keyEntry(text, color) {
  const dot = element("i", { class: "dot" });
  dot.style.background = `var(--${color})`;
  return element("li", {}, dot, text);
}

// Show the lines of text of the point that is nearest to the pointer.
function showTips(svg, points, linesOf) {
  const tip = byId("tip");
  const show = (event) => {
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let nearest = null;
    let least = 24 ** 2;
    for (const point of points) {
      const distance = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (distance < least) [nearest, least] = [point, distance];
    }
    tip.hidden = nearest === null;
    if (!nearest) return;
    tip.replaceChildren(...linesOf(nearest).map((line) => element("span", {}, line)));
    const left = box.left + nearest.x / scale;
    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = `${Math.max(8, Math.min(room, left - tip.offsetWidth / 2))}px`;
    const above = box.top + nearest.y / scale - tip.offsetHeight - 14;
    tip.style.top = `${above < 8 ? box.top + nearest.y / scale + 18 : above}px`;
  };
  svg.addEventListener("pointermove", show);
  svg.addEventListener("pointerdown", show); // a finger does not hover
  svg.addEventListener("pointerleave", () => {
    tip.hidden = true;
  });
}
