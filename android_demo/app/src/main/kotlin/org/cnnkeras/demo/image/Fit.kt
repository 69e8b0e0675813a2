package org.cnnkeras.demo.image

import org.cnnkeras.demo.model.Preprocessing

/**
 * Turns a picture upright, crops it at the center to the network's aspect ratio and resizes it.
 *
 * Equal to the bit to `cnn_keras.preprocessing.Preprocessing.pixels`, that is to `ImageOps.fit` of
 * Pillow 13 with its antialiased bilinear filter: two passes, each rounded to 8 bits. The picture
 * is read row by row, and only the rows that are needed; no more than some lines are in memory.
 */
fun fit(picture: Picture, orientation: Orientation, preprocessing: Preprocessing): Pixels {
    val swaps = orientation.swaps
    val width = if (swaps) picture.height else picture.width
    val height = if (swaps) picture.width else picture.height
    val box = centralBox(width, height, preprocessing.width, preprocessing.height)
    val across = Taps.bilinear(width, box.left, box.right, preprocessing.width)
    val down = Taps.bilinear(height, box.top, box.bottom, preprocessing.height)
    val columns = (if (swaps) down else across)
        .mirroredIf(orientation.mirrorsColumns, picture.width)
    val rows = (if (swaps) across else down)
        .mirroredIf(orientation.mirrorsRows, picture.height)
    val output = Output(preprocessing, swaps)
    val downFirst = isDownFirst(width, height, preprocessing)
    val passes = if (downFirst == swaps) ColumnsFirst(columns, rows, output) else
        RowsFirst(columns, rows, output)
    return passes.resize(picture)
}

private fun Taps.mirroredIf(condition: Boolean, length: Int): Taps =
    if (condition) mirrored(length) else this

/** A part of a picture, in pixels; single precision, as Pillow keeps it. */
private class Box(val left: Float, val top: Float, val right: Float, val bottom: Float)

/** The largest central part with the output's aspect ratio (Pillow's `ImageOps.fit`). */
private fun centralBox(width: Int, height: Int, outWidth: Int, outHeight: Int): Box {
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
 * Whether columns are resized before rows, which changes the rounding: Pillow 13 does so where the
 * height loses more than twice as many pixels as the width; before 13.0 it never did.
 *
 * Reference: Pillow 13.0.0, `src/libImaging/Resample.c`, `ImagingResampleInner`.
 */
private fun isDownFirst(width: Int, height: Int, preprocessing: Preprocessing): Boolean {
    val lost = height - preprocessing.height
    return lost > 0 && lost > (width - preprocessing.width) * 2
}

/** The pixels that a resize writes, by places on the stored axes. */
private class Output(preprocessing: Preprocessing, private val swaps: Boolean) {
    private val width = preprocessing.width
    private val height = preprocessing.height
    private val values = ByteArray(height * width * preprocessing.channels)
    val channels = preprocessing.channels
    val pixels get() = Pixels(width, height, channels, values)

    /** Writes the output row, or column, that stored rows make: `(outputs, channels)`. */
    fun write(row: Int, line: IntArray) {
        for (column in 0 until line.size / channels) {
            val place = if (swaps) column * width + row else row * width + column
            for (channel in 0 until channels) {
                values[place * channels + channel] = line[column * channels + channel].toByte()
            }
        }
    }
}

/**
 * Two passes over rows that arrive one after the other.
 *
 * @param columns along a stored row
 * @param rows along a stored column
 */
private abstract class Passes(
    protected val columns: Taps,
    private val rows: Taps,
    protected val output: Output,
) {
    private val channels = output.channels

    /** One line of the output along [columns], `(outputs, channels)`. */
    protected val filtered = IntArray(columns.size * channels)

    /** Takes row [y] of the needed columns, `(columns, channels)`. */
    protected abstract fun add(y: Int, line: IntArray)

    fun resize(picture: Picture): Pixels {
        val argb = IntArray(picture.width)
        val line = IntArray((columns.end - columns.start) * channels)
        for (y in rows.start until rows.end) {
            picture.readRow(y, argb)
            toChannels(argb, columns.start, columns.end, channels, line)
            add(y, line)
        }
        return output.pixels
    }

    /** Filters one line, `(columns, channels)`, into [filtered]. */
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

/** Lines that are summed, weighted, until an output has all that belong to it. */
private class Sums(private val rows: Taps, private val length: Int) {
    private val sums = arrayOfNulls<IntArray>(rows.size)

    /** Adds line [y]; gives every output that is complete with it to [finish]. */
    fun add(y: Int, line: IntArray, finish: (output: Int, line: IntArray) -> Unit) {
        for (output in 0 until rows.size) {
            val weights = rows.weights[output]
            val place = y - rows.first[output]
            if (place !in weights.indices) continue
            val sum = sums[output] ?: IntArray(length) { HALF }.also { sums[output] = it }
            val weight = weights[place]
            for (index in 0 until length) sum[index] += line[index] * weight
            if (place == weights.lastIndex) {
                for (index in 0 until length) sum[index] = toPixel(sum[index])
                finish(output, sum)
                sums[output] = null
            }
        }
    }
}

/** Each row is filtered, then the rows are summed. */
private class ColumnsFirst(columns: Taps, rows: Taps, output: Output) :
    Passes(columns, rows, output) {
    private val sums = Sums(rows, filtered.size)

    override fun add(y: Int, line: IntArray) {
        filter(line)
        sums.add(y, filtered, output::write)
    }
}

/** Rows are summed, then each sum is filtered. */
private class RowsFirst(columns: Taps, rows: Taps, output: Output) :
    Passes(columns, rows, output) {
    private val sums = Sums(rows, (columns.end - columns.start) * output.channels)

    override fun add(y: Int, line: IntArray) = sums.add(y, line) { row, sum ->
        filter(sum)
        output.write(row, filtered)
    }
}
