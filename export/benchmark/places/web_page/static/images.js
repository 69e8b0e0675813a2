/** Opaque pixels of image files and video frames. */

const MAX_PIXELS = 64 * 1024 * 1024; // as in the Android app

/**
 * Decodes an image file, upright and on black where it is transparent.
 *
 * @param {Blob} file
 * @returns {Promise<ImageData>}
 */
export async function decode(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error("This is not an image that the browser can read.");
  }
  if (bitmap.width * bitmap.height > MAX_PIXELS) {
    throw new Error(`The image is too large: ${bitmap.width} × ${bitmap.height} pixels.`);
  }
  const image = pixelsOf(bitmap, bitmap.width, bitmap.height);
  bitmap.close();
  return image;
}

/** Returns the pixels of a bitmap or a video. */
export function pixelsOf(source, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}
