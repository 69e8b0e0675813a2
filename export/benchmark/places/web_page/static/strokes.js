/**
 * Renders a drawing white on black with the scale, position and stroke width of the training data,
 * so that its size, position and line width on the screen do not matter; as the Android app does.
 */

const OVERSAMPLING = 4; // pixels of the image per pixel of the network input, along each axis

/**
 * MNIST's digits fit into 20 of 28 pixels (LeCun, Bottou, Bengio and Haffner, 1998, section III.A).
 * Their strokes are 2.5 pixels wide: the mean that Morpho-MNIST (arXiv:1809.10780,
 * `t10k-morpho.csv`) states for the first 30 test digits.
 */
const MNIST = { extent: 20 / 28, stroke_width: 2.5 / 28 };

/**
 * @param {{x: number, y: number}[][]} strokes in any unit, the same for both axes
 * @param {{width: number, height: number}} size of the network input
 * @param {?{extent: number, stroke_width: number}} style of the training data; without one, the
 *     center of mass is centered, as in MNIST
 * @returns {ImageData}
 */
export function renderStrokes(strokes, size, style) {
  const canvas = { width: size.width * OVERSAMPLING, height: size.height * OVERSAMPLING };
  const { extent, stroke_width: relativeWidth } = style ?? MNIST;
  const strokeWidth = relativeWidth * canvas.height;
  const fitted = fit(strokes, canvas, extent, strokeWidth);
  const coverage = draw(fitted, canvas, strokeWidth / 2);
  if (style) return toImage(coverage, canvas);
  const centered = centerMass(fitted, coverage, canvas, strokeWidth);
  return toImage(draw(centered, canvas, strokeWidth / 2), canvas);
}

function bounds(strokes) {
  const points = strokes.flat();
  const xs = points.map(({ x }) => x);
  const ys = points.map(({ y }) => y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [top, bottom] = [Math.min(...ys), Math.max(...ys)];
  return { left, right, top, bottom };
}

function shifted(strokes, dx, dy) {
  return strokes.map((stroke) => stroke.map(({ x, y }) => ({ x: x + dx, y: y + dy })));
}

/** Centers the bounding box and scales it so that the strokes fill `extent` of the frame. */
function fit(strokes, canvas, extent, strokeWidth) {
  const { left, right, top, bottom } = bounds(strokes);
  const scale = Math.min(
    Math.max(extent * canvas.width - strokeWidth, 0) / (right - left),
    Math.max(extent * canvas.height - strokeWidth, 0) / (bottom - top),
  );
  const factor = Number.isFinite(scale) ? scale : 0; // a dot has no size
  return strokes.map((stroke) =>
    stroke.map(({ x, y }) => ({
      x: (x - (left + right) / 2) * factor + canvas.width / 2,
      y: (y - (top + bottom) / 2) * factor + canvas.height / 2,
    })),
  );
}

/** Moves the center of mass to the center of the frame, as far as the strokes fit the frame. */
function centerMass(strokes, coverage, canvas, strokeWidth) {
  let [mass, sumX, sumY] = [0, 0, 0];
  coverage.forEach((value, index) => {
    mass += value;
    sumX += value * ((index % canvas.width) + 0.5);
    sumY += value * (Math.floor(index / canvas.width) + 0.5);
  });
  const { left, right, top, bottom } = bounds(strokes);
  const shift = (length, center, from, to) => {
    const before = from - strokeWidth / 2;
    const after = length - to - strokeWidth / 2;
    return Math.min(Math.max(length / 2 - center, Math.min(-before, 0)), Math.max(after, 0));
  };
  const dx = shift(canvas.width, sumX / mass, left, right);
  const dy = shift(canvas.height, sumY / mass, top, bottom);
  return shifted(strokes, dx, dy);
}

/** Returns the share of each pixel that the strokes cover, from 0 to 1. */
function draw(strokes, { width, height }, radius) {
  const values = new Float32Array(width * height);
  const drawLine = (from, to) => {
    const reach = radius + 1;
    const [firstY, lastY] = range(from.y, to.y, reach, height);
    const [firstX, lastX] = range(from.x, to.x, reach, width);
    for (let y = firstY; y <= lastY; y++) {
      for (let x = firstX; x <= lastX; x++) {
        const away = distance(x + 0.5, y + 0.5, from, to);
        const covered = Math.min(Math.max(radius + 0.5 - away, 0), 1);
        const index = y * width + x;
        if (covered > values[index]) values[index] = covered;
      }
    }
  };
  for (const stroke of strokes) {
    drawLine(stroke[0], stroke[0]);
    stroke.slice(1).forEach((point, index) => drawLine(stroke[index], point));
  }
  return values;
}

function range(a, b, reach, length) {
  const first = Math.max(Math.trunc(Math.min(a, b) - reach), 0);
  return [first, Math.min(Math.trunc(Math.max(a, b) + reach), length - 1)];
}

/** Returns the distance of a point from a line between two points. */
function distance(x, y, from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const squared = dx * dx + dy * dy;
  const along = squared ? ((x - from.x) * dx + (y - from.y) * dy) / squared : 0;
  const projection = Math.min(Math.max(along, 0), 1);
  return Math.hypot(x - from.x - projection * dx, y - from.y - projection * dy);
}

function toImage(coverage, { width, height }) {
  const image = new ImageData(width, height);
  coverage.forEach((value, index) => {
    const gray = Math.trunc(value * 255 + 0.5);
    image.data.set([gray, gray, gray, 255], index * 4);
  });
  return image;
}
