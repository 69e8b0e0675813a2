package org.cnnkeras.demo.image

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

/** Fractional bits of a weight: 32, less 8 for the pixel and 2 against overflow of the sum. */
internal const val PRECISION_BITS = 32 - 8 - 2

/** The initial value of a weighted sum, which makes [toPixel] round to nearest. */
internal const val HALF = 1 shl (PRECISION_BITS - 1)

/** Converts a weighted sum that started at [HALF] to a pixel value from 0 to 255. */
internal fun toPixel(sum: Int): Int = (sum shr PRECISION_BITS).coerceIn(0, 255)

/**
 * A resampling filter along one axis: the input pixels and the weights of each output pixel.
 *
 * @property first the index of the first input pixel, for each output pixel
 * @property weights fixed-point weights of [first] and the pixels after it, for each output pixel
 */
internal class ResampleFilter(val first: IntArray, val weights: Array<IntArray>) {
    /** Index of the first input pixel that has a weight. */
    val start: Int = first.min()

    /** Index after the last input pixel that has a weight. */
    val end: Int = first.indices.maxOf { first[it] + weights[it].size }

    /** Number of output pixels. */
    val size: Int get() = first.size

    /** Returns the filter for the reversed axis of [length] pixels. */
    fun mirrored(length: Int): ResampleFilter = ResampleFilter(
        IntArray(size) { length - first[it] - weights[it].size },
        Array(size) { weights[it].reversedArray() },
    )

    companion object {
        /**
         * Returns an antialiased bilinear filter: a triangle whose support is one output pixel or
         * one input pixel, whichever is larger.
         *
         * The arithmetic is Pillow's, including single-precision edges of the box, so that the
         * weights are the same integers.
         *
         * Reference: Pillow, `src/libImaging/Resample.c`, `precompute_coeffs` and
         * `normalize_coeffs_8bpc`.
         *
         * @param length number of pixels of the input axis
         * @param from start of the part to resize
         * @param to end of the part to resize
         * @param size number of pixels of the output axis
         */
        fun bilinear(length: Int, from: Float, to: Float, size: Int): ResampleFilter {
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
            return ResampleFilter(first, weights)
        }

        private fun triangle(x: Double): Double = max(1 - abs(x), 0.0)

        /** Normalizes weights to a sum of one and converts them to fixed point. */
        private fun fixedPoint(weights: DoubleArray): IntArray {
            val sum = weights.sum()
            return IntArray(weights.size) { index ->
                val weight = if (sum == 0.0) weights[index] else weights[index] / sum
                (0.5 + weight * (1 shl PRECISION_BITS)).toInt()
            }
        }
    }
}
