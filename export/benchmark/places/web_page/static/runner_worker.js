/**
 * The worker that runs one file. It is the page's counterpart of `export/benchmark/runner.py`: a new
 * worker for each measurement, so that memory and threads are those of the file alone.
 *
 * It is a classic script, because LiteRT.js loads its WebAssembly with `importScripts`. Each message
 * `{id, method, args}` is answered with `{id, result}` or `{id, error}`; `time` also sends
 * `{id, progress}`.
 */
"use strict";

const LITERT = new URL("litert/", self.location.href).href;
const THREADED_SCRIPT = "litert_wasm_threaded_internal.js";

const modules = Promise.all([import("./litert/core.js"), import("./timing.js")]);
let file;

/** A file in LiteRT.js. */
class LoadedFile {
  constructor({ Tensor }, model, job, inputs) {
    this.Tensor = Tensor;
    this.model = model;
    this.shape = job.input.shape;
    this.inputs = inputs.map((values) => this.tensor(values));
    this.values = inputs;
  }

  tensor(values) {
    return new this.Tensor(values, this.shape);
  }

  /** Runs an input tensor; returns the output tensor, which the caller deletes. */
  async invoke(tensor) {
    const [output] = await this.model.run([tensor]);
    return output;
  }

  /** Runs the values of one image and returns those of the output. */
  async run(values) {
    const tensor = this.tensor(values);
    const output = await this.invoke(tensor);
    const result = (await output.data()).slice();
    output.delete();
    tensor.delete();
    return result;
  }
}

const methods = {
  /**
   * Loads a file.
   *
   * @param {object} job the measurement, see `web_page/server.py`
   * @param {Uint8Array} bytes the file
   * @param {ArrayBuffer} images raw input tensors, one after the other
   */
  async load({ job, bytes, images }) {
    const [litert] = await modules;
    const printed = [];
    const isThreaded =
      job.threads > 1 && self.crossOriginIsolated && (await litert.supportsFeature("relaxedSimd"));
    const print = (text) => printed.push(text);
    self.Module = {
      locateFile: (name) => LITERT + name,
      mainScriptUrlOrBlob: LITERT + THREADED_SCRIPT,
      print,
      printErr: print,
    };
    const runtime = await litert.loadLiteRt(LITERT, { threads: isThreaded });
    // The threaded build has one worker for each core.
    const threads = isThreaded ? Math.min(job.threads, navigator.hardwareConcurrency) : 1;
    const start = performance.now();
    const model = await litert.loadAndCompile(bytes, {
      accelerator: "wasm",
      cpuOptions: { numThreads: threads },
    });
    const loadMs = performance.now() - start;
    const elements = job.input.shape.reduce((product, size) => product * size, 1);
    file = new LoadedFile(litert, model, job, split(job.input.dtype, images, elements));
    file.runtime = runtime;
    return {
      load_ms: loadMs,
      threads_used: threads,
      wasm: await wasmBuild(litert, isThreaded),
      xnnpack: printed.some((text) => text.includes("XNNPACK delegate")),
      printed,
    };
  },

  /** Runs all images; returns the raw outputs, one after the other, and the first inference. */
  async outputs() {
    const outputs = [];
    let firstMs;
    for (const tensor of file.inputs) {
      const start = performance.now();
      const output = await file.invoke(tensor);
      firstMs ??= performance.now() - start;
      outputs.push((await output.data()).slice());
      output.delete();
    }
    const raw = await new Blob(outputs).arrayBuffer();
    const memory = file.runtime.liteRtWasm.HEAPU8.buffer.byteLength;
    return { raw, first_ms: firstMs, wasm_memory_mb: memory / 2 ** 20 };
  },

  /** Times the file. */
  async time(options, onProgress) {
    const [, { timeFile }] = await modules;
    return timeFile(file, options, onProgress);
  },

  /** Runs the values of one image; returns the values of the output and the time in ms. */
  async run({ values }) {
    const start = performance.now();
    const output = await file.run(values);
    return { output, ms: performance.now() - start };
  },
};

function split(dtype, buffer, elements) {
  const type = { float32: Float32Array, uint8: Uint8Array, int32: Int32Array }[dtype];
  const values = new type(buffer);
  return Array.from({ length: values.length / elements }, (_, index) =>
    values.subarray(index * elements, (index + 1) * elements),
  );
}

async function wasmBuild(litert, isThreaded) {
  if (isThreaded) return "threaded";
  return (await litert.supportsFeature("relaxedSimd")) ? "relaxed SIMD" : "SIMD";
}

self.onmessage = async ({ data: { id, method, args } }) => {
  try {
    const result = await methods[method](args, (progress) => self.postMessage({ id, progress }));
    self.postMessage({ id, result });
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
};
