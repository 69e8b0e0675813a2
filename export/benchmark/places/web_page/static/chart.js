/** The latency over the runs, drawn while it is measured: medians, and p10 to p90 around them. */

import { plural, significant } from "./format.js";
import { median, percentile } from "./statistics.js";

const MAX_POINTS = 160; // then two points become one
const WIDTH = 320;
const TOP = 8;
const BOTTOM = 112;

export class Chart {
  /** @param {HTMLElement} figure with an svg that has the paths `band` and `line` */
  constructor(figure) {
    this.figure = figure;
    this.clear();
  }

  clear() {
    this.points = [];
    this.samplesPerPoint = 1;
    this.figure.hidden = true;
  }

  /**
   * @param {number[]} latencies new samples in ms
   * @param {number} runs inferences so far
   */
  add(latencies, runs) {
    for (const latency of latencies) this.addSample(latency);
    this.draw(runs);
  }

  addSample(latency) {
    if (!(this.points.at(-1)?.samples.length < this.samplesPerPoint)) {
      if (this.points.length === MAX_POINTS) this.halve();
      this.points.push(new Point());
    }
    this.points.at(-1).add([latency]);
  }

  halve() {
    this.samplesPerPoint *= 2;
    this.points.forEach((point, index) => {
      if (index % 2) this.points[index - 1].add(point.samples);
    });
    this.points = this.points.filter((_, index) => index % 2 === 0);
  }

  draw(runs) {
    if (this.points.length < 2) return;
    const summaries = this.points.map((point) => point.summary());
    const top = highest(summaries);
    const at = (index, value) => {
      const x = (index / (summaries.length - 1)) * WIDTH;
      const y = BOTTOM - Math.min(value / top, 1) * (BOTTOM - TOP);
      return `${x.toFixed(1)} ${y.toFixed(1)}`;
    };
    const upper = summaries.map(({ high }, index) => at(index, high));
    const lower = summaries.map(({ low }, index) => at(index, low)).reverse();
    const line = summaries.map(({ middle }, index) => at(index, middle));
    this.set(".band", "d", `M${[...upper, ...lower].join("L")}Z`);
    this.set(".line", "d", `M${line.join("L")}`);
    const range = `0 to ${significant(top)}\u00a0ms`;
    this.figure.querySelector("title").textContent = `Latency of ${plural(runs, "run")}, ${range}`;
    this.figure.querySelector("#chart-runs").textContent = plural(runs, "run");
    this.figure.querySelector("#chart-top").textContent = range;
    this.figure.hidden = false;
  }

  set(selector, name, value) {
    this.figure.querySelector(selector).setAttribute(name, value);
  }
}

/** Returns the top of the scale; rare peaks, which would flatten the rest, are cut off. */
function highest(summaries) {
  const highs = summaries.map(({ high }) => high);
  return Math.min(Math.max(...highs), 3 * median(highs)) || 1;
}

/** A point of the chart, which stands for consecutive samples. */
class Point {
  samples = [];

  add(samples) {
    this.samples.push(...samples);
    this.cached = undefined;
  }

  summary() {
    if (!this.cached) {
      const sorted = Float64Array.from(this.samples).sort();
      const [low, middle, high] = [10, 50, 90].map((q) => percentile(sorted, q));
      this.cached = { low, middle, high };
    }
    return this.cached;
  }
}
