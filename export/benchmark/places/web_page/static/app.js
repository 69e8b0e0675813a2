/** The page: does the tasks of the command, and then classifies images with the last file. */

import * as api from "./api.js";
import { BenchmarkView } from "./benchmark_view.js";
import { ImageSources } from "./image_sources.js";
import { describeHost } from "./device.js";
import { FileError, Runner } from "./runner.js";
import { sha256 } from "./sha256.js";

const PROGRESS_MS = 1000;

const view = new BenchmarkView();
const sources = new ImageSources();
let loaded; // {runner, job, facts}: the last file
let fraction = 0;

async function main() {
  try {
    await api.join(await describeHost());
  } catch (error) {
    view.showRefusal(error.message);
    return;
  }
  view.showStatus("Connected. Waiting for a file …");
  const heartbeat = setInterval(() => api.progress(fraction).catch(() => {}), PROGRESS_MS);
  const awake = keepAwake();
  try {
    await work();
  } catch (error) {
    view.showRefusal(error.message);
  } finally {
    clearInterval(heartbeat);
    (await awake)?.release();
    if (loaded) sources.enable(loaded.runner, loaded.job);
  }
}

/** Does one task after the other, until the command ends. */
async function work() {
  for (let sequence = 0; ; ) {
    const task = await api.nextTask(sequence);
    sequence = task.sequence;
    fraction = 0;
    if (task.kind === "end") {
      view.showStatus(loaded ? "Done. Now classify an image." : "The command has ended.");
      return;
    }
    if (task.kind === "refused") {
      view.showRefusal(task.reason);
      continue;
    }
    try {
      await (task.kind === "outputs" ? sendOutputs(task) : sendRow(task));
    } catch (error) {
      const about = error instanceof FileError ? "file" : "place";
      await api.fail(sequence, error.message, about);
      view.showRefusal(error.message);
    }
  }
}

/** Downloads the file, runs the images and sends the raw outputs. */
async function sendOutputs(task) {
  const raw = await load(task);
  view.showStatus("Comparing the outputs with those on the computer …");
  await api.answerBytes(task.sequence, raw);
}

/** Times the file and sends the row. */
async function sendRow(task) {
  if (!loaded) await load(task); // the page has been loaded again
  const measured = await timeInFront(task.timing);
  const { job, facts } = loaded;
  const row = {
    ...task.row,
    ...measured.row,
    time: new Date().toISOString(),
    load_ms: facts.load_ms,
    first_ms: facts.first_ms,
    threads_used: facts.threads_used,
    delegate_used: facts.xnnpack ? "XNNPACK" : null,
    throttling: measured.throttling,
    web: {
      secure_context: isSecureContext,
      isolated: crossOriginIsolated,
      wasm: facts.wasm,
      wasm_memory_mb: facts.wasm_memory_mb,
      clock_step_ms: measured.clock_step_ms,
      runs_per_sample: measured.runs_per_sample,
    },
  };
  await api.answer(task.sequence, row);
  view.showStatus(`${job.name} is measured`);
  view.showRow(row);
}

/** Downloads a file into a new worker and runs its images; returns the raw outputs. */
async function load({ job }) {
  loaded?.runner.close();
  loaded = undefined;
  view.showFile(job);
  view.showStatus("Downloading the file …", 0);
  const bytes = new Uint8Array(await api.file());
  const hash = sha256(bytes);
  if (bytes.length !== job.size_bytes || hash !== job.sha256) {
    const received = `${bytes.length} of ${job.size_bytes} bytes`;
    throw new Error(`the copy differs from the file (${received}): it was changed or truncated`);
  }
  const images = await api.images();
  view.showStatus("Running the images …", 0);
  const runner = new Runner();
  try {
    const facts = await runner.load(job, bytes, images);
    const { raw, ...first } = await runner.outputs();
    loaded = { runner, job, facts: { ...facts, ...first } };
    return raw;
  } catch (error) {
    runner.close();
    throw error;
  }
}

/** Times the file, again if the page was in the background meanwhile: it is slowed down there. */
async function timeInFront(timing) {
  for (;;) {
    view.showStatus("Timing. Keep this page in front …", 0);
    let wasHidden = document.hidden;
    const noteHidden = () => {
      wasHidden ||= document.hidden;
    };
    document.addEventListener("visibilitychange", noteHidden);
    view.chart.clear();
    const measured = await loaded.runner.time(timing, (progress) => {
      fraction = progress.fraction;
      view.showProgress(progress);
    });
    document.removeEventListener("visibilitychange", noteHidden);
    if (!wasHidden) return measured;
    view.showStatus("Paused, because the page was not in front", 0);
    while (document.hidden) {
      await new Promise((resolve) => {
        document.addEventListener("visibilitychange", resolve, { once: true });
      });
    }
  }
}

/** Keeps the screen on, where the browser can. */
async function keepAwake() {
  try {
    return await navigator.wakeLock?.request("screen");
  } catch {
    return undefined; // for example with a low battery
  }
}

main();
