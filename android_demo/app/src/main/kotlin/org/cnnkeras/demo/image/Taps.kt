package org.cnnkeras.demo.image

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

/** Bits behind a weight's point: 32 less 8 for the pixel and 2 that keep sums from overflow. */
internal const val PRECISION_BITS = 32 - 8 - 2

/** Where a sum of weighted pixels starts so that [toPixel] rounds it. */
internal const val HALF = 1 shl (PRECISION_BITS - 1)

/** Rounds a sum of weighted pixels that was started at [HALF]. */
internal fun toPixel(sum: Int): Int = (sum shr PRECISION_BITS).coerceIn(0, 255)

/**
 * Which input pixels, with which weights, make each output pixel along one axis.
 *
 * @property first the first input pixel of each output pixel
 * @property weights its weights in fixed point, for [first] and the pixels after it
 */
internal class Taps(val first: IntArray, val weights: Array<IntArray>) {
    /** The input pixels that are needed at all. */
    val start: Int = first.min()
    val end: Int = first.indices.maxOf { first[it] + weights[it].size }

    /** How many output pixels there are. */
    val size: Int get() = first.size

    /** The same for an axis of [length] pixels that is read from its other end. */
    fun mirrored(length: Int): Taps = Taps(
        IntArray(size) { length - first[it] - weights[it].size },
        Array(size) { weights[it].reversedArray() },
    )

    companion object {
        /**
         * An antialiased bilinear filter: a triangle as wide as an output pixel, or as an input
         * pixel if that is wider.
         *
         * Computes as Pillow does, down to its float edges, so that the weights are the same
         * integers.
         *
         * Reference: Pillow, `src/libImaging/Resample.c`, `precompute_coeffs` and
         * `normalize_coeffs_8bpc`.
         *
         * @param length pixels of the input axis
         * @param from start of the part that is resized
         * @param to its end
         * @param size pixels of the output axis
         */
        fun bilinear(length: Int, from: Float, to: Float, size: Int): Taps {
            val scale = (to - from).toDouble() / size
            val support = max(scale, 1.0)
            val inverse = 1.0 / support
            val first = IntArray(size)
            val weights = Array(size) { index ->
                val center = from + (index + 0.5) * scale
                val start = max((center - support + 0.5).toInt(), 0)
                val end = min((center + support + 0.5).toInt(), length)
                first[index] = start
                fixedPoint(
                    DoubleArray(end - start) { triangle((it + start - center + 0.5) * inverse) },
                )
            }
            return Taps(first, weights)
        }

        private fun triangle(x: Double): Double = max(1 - abs(x), 0.0)

        /** Scales weights to the sum of one, and to integers. */
        private fun fixedPoint(weights: DoubleArray): IntArray {
            val sum = weights.sum()
            return IntArray(weights.size) { index ->
                val weight = if (sum == 0.0) weights[index] else weights[index] / sum
                (0.5 + weight * (1 shl PRECISION_BITS)).toInt()
            }
        }
    }
}
