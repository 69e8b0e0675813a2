package org.cnnkeras.demo.benchmark

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.sqrt

/**
 * Returns a percentile with linear interpolation between samples: NumPy's method `"linear"`, type 7
 * of Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996.
 *
 * @param q from 0 to 100
 * @throws IllegalArgumentException if there are no samples or [q] is out of range
 */
fun percentile(samples: DoubleArray, q: Double): Double {
    require(samples.isNotEmpty()) { "A percentile needs at least one sample" }
    require(q in 0.0..100.0) { "A percentile is between 0 and 100, not $q" }
    return percentileOfSorted(samples.sortedArray(), q)
}

private fun percentileOfSorted(sorted: DoubleArray, q: Double): Double {
    val position = (sorted.size - 1) * (q / 100)
    val below = sorted[floor(position).toInt()]
    val above = sorted[ceil(position).toInt()]
    val weight = position - floor(position)
    // From the nearer sample, as in NumPy, so that the result has the same last bit.
    return if (weight < 0.5) {
        below + (above - below) * weight
    } else {
        above - (above - below) * (1 - weight)
    }
}

/** Summary statistics in the unit of the samples; [std] is the population standard deviation. */
data class Summary(
    val p50: Double,
    val p90: Double,
    val p95: Double,
    val p99: Double,
    val min: Double,
    val mean: Double,
    val std: Double,
) {
    companion object {
        /** @throws IllegalArgumentException if there are no samples */
        fun of(samples: DoubleArray): Summary {
            require(samples.isNotEmpty()) { "A summary needs at least one sample" }
            val sorted = samples.sortedArray()
            val mean = samples.average()
            return Summary(
                p50 = percentileOfSorted(sorted, 50.0),
                p90 = percentileOfSorted(sorted, 90.0),
                p95 = percentileOfSorted(sorted, 95.0),
                p99 = percentileOfSorted(sorted, 99.0),
                min = sorted.first(),
                mean = mean,
                std = sqrt(samples.sumOf { (it - mean) * (it - mean) } / samples.size),
            )
        }
    }
}

/**
 * Median latencies of the first and the last quarter of the runs, which show thermal throttling.
 *
 * @property ratio last divided by first; 1.2 means 20 percent slower
 */
data class Throttling(val firstQuarterP50: Double, val lastQuarterP50: Double) {
    val ratio: Double get() = lastQuarterP50 / firstQuarterP50

    companion object {
        /** Returns null for fewer than four samples. */
        fun of(samples: DoubleArray): Throttling? {
            val quarter = samples.size / 4
            if (quarter == 0) return null
            val last = samples.copyOfRange(samples.size - quarter, samples.size)
            return Throttling(
                percentile(samples.copyOf(quarter), 50.0),
                percentile(last, 50.0),
            )
        }
    }
}
