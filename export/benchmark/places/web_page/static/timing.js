/**
 * Times a file with the definitions of `export/benchmark/runner.py`: the latency is that of the
 * inference alone, inferences follow each other without a pause, and the timed ones end when both
 * the least number of runs and the least time are reached, or after the most time.
 *
 * A browser's clock ticks in steps of 5 µs to 1 ms. Where an inference is not much longer than a
 * step, a sample is the mean of several inferences.
 */

import { latencyStatistics, median, throttling } from "./statistics.js";

const CLOCK_STEPS = 50; // in a sample, so that a step changes it by at most 2 %
const PROGRESS_MS = 100;

/**
 * @param {object} file of `runner_worker.js`
 * @param {{num_runs: number, min_secs: number, max_secs: number, warmup_secs: number}} options
 * @param {function({fraction: number, latencies: number[]}): void} onProgress
 */
export async function timeFile(file, options, onProgress) {
  const clock = measureClock();
  await warmUp(file, options.warmup_secs);
  const runsPerSample = await countRuns(file, clock);
  const stages = new Stages(file, runsPerSample, clock.overheadMs);
  await stages.sample(); // untimed: it warms caches and wakes worker threads
  const samples = { copyIn: [], latency: [], copyOut: [] };
  const minMs = options.min_secs * 1000;
  const maxMs = options.max_secs * 1000;
  const start = performance.now();
  for (let runs = 0, reported = 0, at = start; ; ) {
    const sample = await stages.sample();
    for (const stage of Object.keys(samples)) samples[stage].push(sample[stage]);
    runs += runsPerSample;
    const now = performance.now();
    const elapsed = now - start;
    const isDone = elapsed >= maxMs || (elapsed >= minMs && runs >= options.num_runs);
    if (isDone || now - at >= PROGRESS_MS) {
      const shares = [elapsed / (minMs || 1), runs / options.num_runs];
      const fraction = isDone ? 1 : Math.min(...shares, 1);
      onProgress({ fraction, runs, latencies: samples.latency.slice(reported) });
      [reported, at] = [samples.latency.length, performance.now()];
    }
    if (isDone) break;
  }
  const latencies = Float64Array.from(samples.latency);
  return {
    row: {
      ...latencyStatistics(latencies),
      num_runs: latencies.length * runsPerSample,
      copy_in_p50_ms: median(samples.copyIn),
      copy_out_p50_ms: median(samples.copyOut),
      timer_overhead_ns: clock.overheadMs * 1e6,
    },
    throttling: throttling(latencies),
    runs_per_sample: runsPerSample,
    clock_step_ms: clock.stepMs,
  };
}

/** Returns the least step of the clock and the mean cost of reading it. */
function measureClock() {
  let stepMs = Infinity;
  for (let step = 0; step < 20; step++) {
    const start = performance.now();
    let now = start;
    while (now === start) now = performance.now();
    stepMs = Math.min(stepMs, now - start);
  }
  const reads = 10_000;
  const start = performance.now();
  for (let read = 0; read < reads; read++) performance.now();
  return { stepMs, overheadMs: (performance.now() - start) / reads };
}

/** Runs the file for some time, and at least once. */
async function warmUp(file, secs) {
  const start = performance.now();
  do {
    await runTogether(file, 1);
  } while (performance.now() - start < secs * 1000);
}

/** Returns how many runs make a sample: as few as take `CLOCK_STEPS` steps of the clock. */
async function countRuns(file, clock) {
  const least = CLOCK_STEPS * clock.stepMs;
  for (let count = 1; ; ) {
    let fastest = Infinity; // of several, because other programs interrupt some
    for (let attempt = 0; attempt < 3; attempt++) {
      fastest = Math.min(fastest, await runTogether(file, count));
    }
    if (fastest >= least) return count;
    count = Math.ceil(count * Math.min(least / Math.max(fastest, clock.stepMs), 10));
  }
}

/** Runs the file several times; returns the time in ms. */
async function runTogether(file, count) {
  const start = performance.now();
  for (let run = 0; run < count; run++) {
    (await file.invoke(file.inputs[run % file.inputs.length])).delete();
  }
  return performance.now() - start;
}

/** The stages of an inference, timed one after the other. */
class Stages {
  constructor(file, runsPerSample, overheadMs) {
    this.file = file;
    this.count = runsPerSample;
    this.overheadMs = overheadMs;
    this.next = 0;
  }

  /** Times the stages; returns the mean time of each in ms, less the cost of reading the clock. */
  async sample() {
    const { file, count } = this;
    const indices = Array.from({ length: count }, () => this.next++ % file.inputs.length);
    const copies = [];
    const copyIn = await this.time(() => {
      for (const index of indices) copies.push(file.tensor(file.values[index]));
    });
    for (const tensor of copies) tensor.delete();
    const outputs = [];
    const latency = await this.time(async () => {
      for (const index of indices) outputs.push(await file.invoke(file.inputs[index]));
    });
    const copyOut = await this.time(async () => {
      for (const output of outputs) await output.data();
    });
    for (const output of outputs) output.delete();
    return { copyIn, latency, copyOut };
  }

  async time(stage) {
    const start = performance.now();
    await stage();
    const elapsed = performance.now() - start;
    return Math.max(elapsed - this.overheadMs, 0) / this.count;
  }
}
