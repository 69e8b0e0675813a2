/** The card of a classification. */

import { imageSize, milliseconds, percent } from "./format.js";

const element = (id) => document.getElementById(id);

export function showResult(job, { pixels, top, ms }) {
  const [best] = top;
  element("top-label").textContent = best.label;
  element("top-percent").textContent = percent(best.probability);
  element("input-size").textContent = `Network input: ${imageSize(job.input.shape)}`;
  element("classes").replaceChildren(...top.map(item));
  element("result-time").textContent = `Inference with copies: ${milliseconds(ms)}`;
  drawPixels(element("network-input"), pixels, job.preprocessing);
  element("result").hidden = false;
}

function item({ label, probability }) {
  const [entry, line, name, value, bar] = ["li", "span", "span", "span", "progress"].map((tag) =>
    document.createElement(tag),
  );
  name.textContent = label;
  value.className = "percent";
  value.textContent = percent(probability);
  bar.value = Math.min(Math.max(probability, 0), 1);
  bar.setAttribute("aria-hidden", "true");
  line.append(name, value);
  entry.append(line, bar);
  return entry;
}

function drawPixels(canvas, pixels, { width, height, channels }) {
  const image = new ImageData(width, height);
  for (let index = 0; index < width * height; index++) {
    for (let color = 0; color < 3; color++) {
      image.data[index * 4 + color] = pixels[index * channels + (channels === 1 ? 0 : color)];
    }
    image.data[index * 4 + 3] = 255;
  }
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}
