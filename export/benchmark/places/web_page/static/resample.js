/**
 * Center crop and antialiased bilinear resize: the result of `ImageOps.fit` in Pillow 13, bit for
 * bit, which `Preprocessing.pixels` of cnn-keras calls.
 *
 * Reference: Pillow 13.0.0, `src/libImaging/Resample.c`.
 */

const PRECISION_BITS = 32 - 8 - 2; // of a weight: less 8 for the pixel and 2 against overflow
const HALF = 1 << (PRECISION_BITS - 1); // makes the shift of a sum round to nearest

/**
 * Returns the network's pixels of an image.
 *
 * @param {{width: number, height: number, data: Uint8ClampedArray}} image opaque RGBA
 * @param {{width: number, height: number, channels: number}} size of the network input
 * @returns {Uint8Array} `(height, width, channels)`
 */
export function cropAndResize(image, { width, height, channels }) {
  const box = centerCrop(image.width, image.height, width, height);
  const columns = filter(image.width, box.left, box.right, width);
  const rows = filter(image.height, box.top, box.bottom, height);
  const pixels = toChannels(image.data, channels);
  const reduction = image.height - height;
  // The order changes the rounding.
  const rowsFirst = reduction > 0 && reduction > (image.width - width) * 2;
  if (rowsFirst) {
    const resized = resizeRows(pixels, image.width, channels, rows);
    return resizeColumns(resized, image.width, height, channels, columns);
  }
  const resized = resizeColumns(pixels, image.width, image.height, channels, columns);
  return resizeRows(resized, width, channels, rows);
}

/** Converts RGBA to RGB, or to gray by ITU-R 601-2 luma in 16 bits, as in Pillow's `Convert.c`. */
function toChannels(rgba, channels) {
  const pixels = new Uint8Array((rgba.length / 4) * channels);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    const red = rgba[from];
    const green = rgba[from + 1];
    const blue = rgba[from + 2];
    if (channels === 1) {
      pixels[to++] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    } else {
      pixels[to++] = red;
      pixels[to++] = green;
      pixels[to++] = blue;
    }
  }
  return pixels;
}

/** Returns the largest centered box with the aspect ratio of the output, in single precision. */
function centerCrop(width, height, outWidth, outHeight) {
  const ratio = width / height;
  const outRatio = outWidth / outHeight;
  const boxWidth = ratio > outRatio ? outRatio * height : width;
  const boxHeight = ratio < outRatio ? width / outRatio : height;
  const left = (width - boxWidth) * 0.5;
  const top = (height - boxHeight) * 0.5;
  return {
    left: Math.fround(left),
    top: Math.fround(top),
    right: Math.fround(left + boxWidth),
    bottom: Math.fround(top + boxHeight),
  };
}

/**
 * Returns the first input pixel and the fixed-point weights of each output pixel: a triangle whose
 * support is one output pixel or one input pixel, whichever is larger.
 */
function filter(length, from, to, size) {
  const scale = Math.fround(to - from) / size;
  const support = Math.max(scale, 1);
  return Array.from({ length: size }, (_, index) => {
    const center = from + (index + 0.5) * scale;
    const first = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), length);
    const weights = Array.from({ length: end - first }, (_, tap) =>
      Math.max(1 - Math.abs((tap + first - center + 0.5) / support), 0),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0) || 1;
    const fixed = weights.map((weight) => Math.trunc(0.5 + (weight / sum) * 2 ** PRECISION_BITS));
    return { first, weights: Int32Array.from(fixed) };
  });
}

function toPixel(sum) {
  return Math.min(Math.max(sum >> PRECISION_BITS, 0), 255);
}

/** Resizes each row of `(height, width, channels)` pixels to the columns of a filter. */
function resizeColumns(pixels, width, height, channels, columns) {
  const output = new Uint8Array(height * columns.length * channels);
  let to = 0;
  for (let y = 0; y < height; y++) {
    for (const { first, weights } of columns) {
      for (let channel = 0; channel < channels; channel++) {
        let sum = HALF;
        let at = (y * width + first) * channels + channel;
        for (const weight of weights) {
          sum += pixels[at] * weight;
          at += channels;
        }
        output[to++] = toPixel(sum);
      }
    }
  }
  return output;
}

/** Resizes each column of `(…, width, channels)` pixels to the rows of a filter. */
function resizeRows(pixels, width, channels, rows) {
  const stride = width * channels;
  const output = new Uint8Array(rows.length * stride);
  rows.forEach(({ first, weights }, y) => {
    const sums = new Int32Array(stride).fill(HALF);
    weights.forEach((weight, tap) => {
      const start = (first + tap) * stride;
      for (let x = 0; x < stride; x++) sums[x] += pixels[start + x] * weight;
    });
    for (let x = 0; x < stride; x++) output[y * stride + x] = toPixel(sums[x]);
  });
  return output;
}
