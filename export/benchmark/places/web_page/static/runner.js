/** A file that runs in its own worker, see `runner_worker.js`. */

/** The file does not run in LiteRT.js. */
export class FileError extends Error {}

export class Runner {
  constructor() {
    this.pending = new Map();
    this.next = 0;
    this.worker = new Worker(new URL("runner_worker.js", import.meta.url));
    this.worker.onmessage = ({ data }) => this.receive(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      for (const id of [...this.pending.keys()]) {
        this.receive({ id, error: event.message || "The worker has failed." });
      }
    };
  }

  receive({ id, result, error, progress }) {
    const call = this.pending.get(id);
    if (!call) return;
    if (progress) {
      call.onProgress?.(progress);
      return;
    }
    this.pending.delete(id);
    if (error === undefined) call.resolve(result);
    else call.reject(new FileError(error));
  }

  call(method, args, onProgress) {
    const id = this.next++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject, onProgress });
      this.worker.postMessage({ id, method, args });
    });
  }

  load(job, bytes, images) {
    return this.call("load", { job, bytes, images });
  }

  outputs() {
    return this.call("outputs");
  }

  time(options, onProgress) {
    return this.call("time", options, onProgress);
  }

  /** Runs the values of one image; returns the values of the output and the time in ms. */
  run(values) {
    return this.call("run", { values });
  }

  /** Ends the worker with its memory and threads. */
  close() {
    this.worker.terminate();
    for (const { reject } of this.pending.values()) reject(new Error("The runner is closed."));
    this.pending.clear();
  }
}
