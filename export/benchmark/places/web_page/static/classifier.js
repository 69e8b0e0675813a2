/** Classifies an image with a loaded file, with the file's own preprocessing and labels. */

import { cropAndResize } from "./resample.js";
import { toInput, topClasses } from "./tensor.js";

const TOP = 5;

/**
 * @param {Runner} runner
 * @param {object} job whose `preprocessing` is known
 * @param {ImageData} image opaque
 * @returns {Promise<{pixels: Uint8Array, top: object[], ms: number}>}
 */
export async function classify(runner, job, image) {
  const pixels = cropAndResize(image, job.preprocessing);
  const { output, ms } = await runner.run(toInput(pixels, job.preprocessing, job.input));
  return { pixels, top: topClasses(output, job.output, job.labels, TOP), ms };
}
