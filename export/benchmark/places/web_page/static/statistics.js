/** Statistics of latencies, with the definitions of `export/benchmark/latency.py`. */

/**
 * Returns a percentile of sorted samples with linear interpolation: NumPy's method "linear".
 *
 * @param {Float64Array} sorted
 * @param {number} q from 0 to 100
 */
export function percentile(sorted, q) {
  const position = (sorted.length - 1) * (q / 100);
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  const weight = position - Math.floor(position);
  // From the nearer sample, as in NumPy, so that the result has the same last bit.
  return weight < 0.5
    ? below + (above - below) * weight
    : above - (above - below) * (1 - weight);
}

/** @param {ArrayLike<number>} samples */
export function median(samples) {
  return percentile(Float64Array.from(samples).sort(), 50);
}

/**
 * Returns the statistics under the names that they have in a row; the standard deviation is the
 * population's.
 *
 * @param {ArrayLike<number>} samples in ms
 */
export function latencyStatistics(samples) {
  const sorted = Float64Array.from(samples).sort();
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const squares = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    latency_p50_ms: percentile(sorted, 50),
    latency_p90_ms: percentile(sorted, 90),
    latency_p95_ms: percentile(sorted, 95),
    latency_p99_ms: percentile(sorted, 99),
    latency_min_ms: sorted[0],
    latency_mean_ms: mean,
    latency_std_ms: Math.sqrt(squares / sorted.length),
  };
}

/**
 * Returns the median latencies of the first and the last quarter, which show throttling; null for
 * fewer than four samples.
 *
 * @param {Float64Array} samples in order of time
 */
export function throttling(samples) {
  const quarter = Math.floor(samples.length / 4);
  if (!quarter) return null;
  const first = median(samples.subarray(0, quarter));
  const last = median(samples.subarray(samples.length - quarter));
  return {
    first_quarter_p50_ms: first,
    last_quarter_p50_ms: last,
    ratio: first ? last / first : null,
  };
}
