/** From pixels to the values of a tensor, and from the values of an output to classes. */

const ARRAYS = { float32: Float32Array, uint8: Uint8Array, int32: Int32Array };

/** Returns bytes as the numbers of a tensor. */
export function viewAs(dtype, buffer) {
  return new ARRAYS[dtype](buffer);
}

/** Normalizes and quantizes pixels `(height, width, channels)` as cnn-keras does, bit for bit. */
export function toInput(pixels, preprocessing, spec) {
  const channels = preprocessing.channels;
  const mean = Float32Array.from(preprocessing.mean);
  const std = Float32Array.from(preprocessing.std);
  const values = Float32Array.from(pixels, (pixel, index) => {
    const channel = index % channels;
    return Math.fround(pixel - mean[channel]) / std[channel];
  });
  if (spec.dtype === "float32") return values;
  return ARRAYS[spec.dtype].from(values, (value) => quantize(value, spec));
}

function quantize(value, { dtype, scale, zero_point: zeroPoint }) {
  const highest = dtype === "uint8" ? 255 : 2 ** 31 - 1;
  const lowest = dtype === "uint8" ? 0 : -(2 ** 31);
  if (!scale) return Math.min(Math.max(Math.trunc(value), lowest), highest);
  const step = roundHalfEven(Math.fround(value / Math.fround(scale))) + zeroPoint;
  return Math.min(Math.max(step, lowest), highest);
}

function roundHalfEven(value) {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

/**
 * Returns the most probable classes, in descending order.
 *
 * @returns {{label: string, probability: number}[]}
 */
export function topClasses(output, spec, labels, count) {
  const scale = spec.scale || 1;
  return Array.from(output, (raw, index) => ({
    label: labels[index] ?? `Class ${index}`,
    probability: (raw - spec.zero_point) * scale,
  }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count);
}
