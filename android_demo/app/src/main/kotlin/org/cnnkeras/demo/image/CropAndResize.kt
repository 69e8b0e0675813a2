package org.cnnkeras.demo.image

import org.cnnkeras.demo.model.Preprocessing

/**
 * Rotates an image upright, crops it at the center to the aspect ratio of the network input and
 * resizes it.
 *
 * The result equals that of `Preprocessing.pixels` in `cnn_keras` bit for bit, which is that of
 * `ImageOps.fit` in Pillow 13 with its antialiased bilinear filter: two passes, each rounded to 8
 * bits. The image is read row by row, and only the rows inside the crop, so that memory holds only
 * a few rows at a time.
 */
fun cropAndResize(image: Image, orientation: Orientation, preprocessing: Preprocessing): Pixels {
    val transposes = orientation.transposes
    val width = if (transposes) image.height else image.width
    val height = if (transposes) image.width else image.height
    val box = centerCrop(width, height, preprocessing.width, preprocessing.height)
    val horizontal = ResampleFilter.bilinear(width, box.left, box.right, preprocessing.width)
    val vertical = ResampleFilter.bilinear(height, box.top, box.bottom, preprocessing.height)
    val columns = (if (transposes) vertical else horizontal)
        .mirroredIf(orientation.mirrorsColumns, image.width)
    val rows = (if (transposes) horizontal else vertical)
        .mirroredIf(orientation.mirrorsRows, image.height)
    val output = OutputPixels(preprocessing, transposes)
    val isVerticalFirst = isVerticalFirst(width, height, preprocessing)
    val resampler = if (isVerticalFirst == transposes) ColumnsFirst(columns, rows, output) else
        RowsFirst(columns, rows, output)
    return resampler.resize(image)
}

private fun ResampleFilter.mirroredIf(condition: Boolean, length: Int): ResampleFilter =
    if (condition) mirrored(length) else this

/** A part of an image, in pixels; in single precision, as in Pillow. */
private class Box(val left: Float, val top: Float, val right: Float, val bottom: Float)

/** Returns the largest centered box with the aspect ratio of the output (`ImageOps.fit`). */
private fun centerCrop(width: Int, height: Int, outWidth: Int, outHeight: Int): Box {
    val ratio = width.toDouble() / height
    val outRatio = outWidth.toDouble() / outHeight
    val boxWidth = if (ratio > outRatio) outRatio * height else width.toDouble()
    val boxHeight = if (ratio < outRatio) width / outRatio else height.toDouble()
    val left = (width - boxWidth) * 0.5
    val top = (height - boxHeight) * 0.5
    return Box(
        left.toFloat(),
        top.toFloat(),
        (left + boxWidth).toFloat(),
        (top + boxHeight).toFloat(),
    )
}

/**
 * Returns whether the vertical pass comes first, which changes the rounding. Pillow 13 does so if
 * the height shrinks by more than twice as many pixels as the width; earlier versions never do.
 *
 * Reference: Pillow 13.0.0, `src/libImaging/Resample.c`, `ImagingResampleInner`.
 */
private fun isVerticalFirst(width: Int, height: Int, preprocessing: Preprocessing): Boolean {
    val reduction = height - preprocessing.height
    return reduction > 0 && reduction > (width - preprocessing.width) * 2
}

/** The resized pixels, addressed by the rows and columns of the stored image. */
private class OutputPixels(preprocessing: Preprocessing, private val transposes: Boolean) {
    private val width = preprocessing.width
    private val height = preprocessing.height
    private val values = ByteArray(height * width * preprocessing.channels)
    val channels = preprocessing.channels
    val pixels get() = Pixels(width, height, channels, values)

    /** Writes a resized stored row, `(columns, channels)`; transposed, it is an output column. */
    fun write(row: Int, line: IntArray) {
        for (column in 0 until line.size / channels) {
            val index = if (transposes) column * width + row else row * width + column
            for (channel in 0 until channels) {
                values[index * channels + channel] = line[column * channels + channel].toByte()
            }
        }
    }
}

/**
 * Resamples an image whose rows arrive one after the other.
 *
 * @param columns the filter along a stored row
 * @param rows the filter along a stored column
 */
private abstract class Resampler(
    protected val columns: ResampleFilter,
    private val rows: ResampleFilter,
    protected val output: OutputPixels,
) {
    private val channels = output.channels

    /** The last row that [filter] resampled, `(output columns, channels)`. */
    protected val filtered = IntArray(columns.size * channels)

    /** Adds row [y], cropped to the columns that have a weight, `(columns, channels)`. */
    protected abstract fun add(y: Int, line: IntArray)

    fun resize(image: Image): Pixels {
        val argb = IntArray(image.width)
        val line = IntArray((columns.end - columns.start) * channels)
        for (y in rows.start until rows.end) {
            image.readRow(y, argb)
            toChannels(argb, columns.start, columns.end, channels, line)
            add(y, line)
        }
        return output.pixels
    }

    /** Resamples a row, `(columns, channels)`, into [filtered]. */
    protected fun filter(line: IntArray) {
        for (index in 0 until columns.size) {
            val weights = columns.weights[index]
            val start = columns.first[index] - columns.start
            for (channel in 0 until channels) {
                var sum = HALF
                var at = start * channels + channel
                for (weight in weights) {
                    sum += line[at] * weight
                    at += channels
                }
                filtered[index * channels + channel] = toPixel(sum)
            }
        }
    }
}

/** Sums weighted rows until an output row is complete. */
private class RowAccumulator(private val rows: ResampleFilter, private val length: Int) {
    private val sums = arrayOfNulls<IntArray>(rows.size)

    /** Adds row [y] and passes each output row that is now complete to [onComplete]. */
    fun add(y: Int, line: IntArray, onComplete: (output: Int, line: IntArray) -> Unit) {
        for (output in 0 until rows.size) {
            val weights = rows.weights[output]
            val tap = y - rows.first[output]
            if (tap !in weights.indices) continue
            val sum = sums[output] ?: IntArray(length) { HALF }.also { sums[output] = it }
            val weight = weights[tap]
            for (index in 0 until length) sum[index] += line[index] * weight
            if (tap == weights.lastIndex) {
                for (index in 0 until length) sum[index] = toPixel(sum[index])
                onComplete(output, sum)
                sums[output] = null
            }
        }
    }
}

/** Resamples along the stored rows, then along the columns. */
private class ColumnsFirst(columns: ResampleFilter, rows: ResampleFilter, output: OutputPixels) :
    Resampler(columns, rows, output) {
    private val accumulator = RowAccumulator(rows, filtered.size)

    override fun add(y: Int, line: IntArray) {
        filter(line)
        accumulator.add(y, filtered, output::write)
    }
}

/** Resamples along the stored columns, then along the rows. */
private class RowsFirst(columns: ResampleFilter, rows: ResampleFilter, output: OutputPixels) :
    Resampler(columns, rows, output) {
    private val accumulator =
        RowAccumulator(rows, (columns.end - columns.start) * output.channels)

    override fun add(y: Int, line: IntArray) = accumulator.add(y, line) { row, sum ->
        filter(sum)
        output.write(row, filtered)
    }
}
