package org.cnnkeras.demo.benchmark

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.sqrt

/**
 * A percentile that interpolates linearly between samples: numpy's `"linear"`, type 7 of Hyndman
 * and Fan, "Sample Quantiles in Statistical Packages", 1996.
 *
 * @param q from 0 to 100
 * @throws IllegalArgumentException if there are no samples, or [q] is none
 */
fun percentile(samples: DoubleArray, q: Double): Double {
    require(samples.isNotEmpty()) { "A percentile of no samples" }
    require(q in 0.0..100.0) { "A percentile is from 0 to 100, not $q" }
    return percentileOfSorted(samples.sortedArray(), q)
}

private fun percentileOfSorted(sorted: DoubleArray, q: Double): Double {
    val place = (sorted.size - 1) * (q / 100)
    val below = sorted[floor(place).toInt()]
    val above = sorted[ceil(place).toInt()]
    val share = place - floor(place)
    // From the nearer end, as numpy does, so that the last bit is the same.
    return if (share < 0.5) {
        below + (above - below) * share
    } else {
        above - (above - below) * (1 - share)
    }
}

/** What is told of many runs, in the samples' unit; [std] is the population's. */
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
            require(samples.isNotEmpty()) { "A summary of no samples" }
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
 * Whether the device slows down while it works: medians of the first and the last quarter.
 *
 * @property ratio the last over the first; 1.2 is a fifth slower
 */
data class Throttling(val firstQuarterP50: Double, val lastQuarterP50: Double) {
    val ratio: Double get() = lastQuarterP50 / firstQuarterP50

    companion object {
        /** Returns null for fewer than four samples, which have no quarters. */
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
