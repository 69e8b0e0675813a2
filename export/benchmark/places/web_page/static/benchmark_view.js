/** The cards of the file and its benchmark. */

import { Chart } from "./chart.js";
import { imageSize, kilobytes, milliseconds, plural, significant } from "./format.js";

const element = (id) => document.getElementById(id);

export class BenchmarkView {
  constructor() {
    this.chart = new Chart(element("chart"));
  }

  /** Shows a file that is about to be measured. */
  showFile(job) {
    element("model-name").textContent = job.name;
    element("model-facts").textContent = [
      job.dtype,
      kilobytes(job.size_bytes),
      imageSize(job.input.shape),
      plural(job.threads, "thread"),
    ].join(" · ");
    this.chart.clear();
    element("percentiles").hidden = true;
    element("refusal").hidden = true;
    element("facts").replaceChildren();
  }

  /**
   * @param {string} text
   * @param {?number} fraction of the progress bar; null hides it
   */
  showStatus(text, fraction = null) {
    element("status").textContent = text;
    const bar = element("progress");
    bar.hidden = fraction === null;
    bar.value = fraction ?? 0;
  }

  showRefusal(reason) {
    this.showStatus("Not measured");
    element("refusal").textContent = reason;
    element("refusal").hidden = false;
  }

  showProgress({ fraction, latencies, runs }) {
    element("progress").value = fraction;
    this.chart.add(latencies, runs);
  }

  showRow(row) {
    for (const name of ["p50", "p90", "p99"]) {
      element(name).textContent = significant(row[`latency_${name}_ms`]);
    }
    element("percentiles").hidden = false;
    element("facts").replaceChildren(...facts(row).flatMap(([name, text]) => pair(name, text)));
    const cells = [row.file.replace(/\.tflite$/, ""), threads(row, false), significant(row.latency_p50_ms)];
    element("rows").insertRow().append(...cells.map(cell));
    element("history").hidden = false;
  }
}

function facts(row) {
  const { web } = row;
  const list = [
    ["Inferences", row.num_runs.toLocaleString("en")],
    ["First inference", milliseconds(row.first_ms)],
    ["Load time", milliseconds(row.load_ms)],
    ["Threads", threads(row, true)],
    ["Runtime", `${row.runtime} ${row.runtime_version}, ${web.wasm}`],
    ["Memory", `${Math.round(web.wasm_memory_mb)}\u00a0MiB of WebAssembly`],
  ];
  if (web.runs_per_sample > 1) {
    const step = `the clock ticks every ${milliseconds(web.clock_step_ms)}`;
    list.push(["Sample", `mean of ${web.runs_per_sample} inferences; ${step}`]);
  }
  return list;
}

function threads(row, isLong) {
  if (row.threads_used === row.num_threads) return String(row.num_threads);
  const used = `${row.threads_used} of ${row.num_threads}`;
  if (!isLong) return used;
  if (row.web.isolated) return `${used}; the browser has no more`;
  return `${used}; a page over plain http has no more`;
}

function pair(name, text) {
  const [term, description] = ["dt", "dd"].map((tag) => document.createElement(tag));
  term.textContent = name;
  description.textContent = text;
  return [term, description];
}

function cell(text) {
  const data = document.createElement("td");
  data.textContent = text;
  return data;
}
