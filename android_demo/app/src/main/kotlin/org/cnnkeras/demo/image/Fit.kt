package org.cnnkeras.demo.image

import org.cnnkeras.demo.model.Preprocessing

/**
 * Turns a picture upright, crops it at the center to the network's aspect ratio and resizes it.
 *
 * Equal to the bit to `cnn_keras.preprocessing.Preprocessing.pixels`, that is to Pillow's
 * `ImageOps.fit` with its antialiased bilinear filter: first along the upright rows, then along the
 * columns, each rounded to 8 bits. The picture is read row by row, and only the rows that are
 * needed; no more than a few lines of it are in memory.
 */
fun fit(picture: Picture, orientation: Orientation, preprocessing: Preprocessing): Pixels {
    val swaps = orientation.swaps
    val width = if (swaps) picture.height else picture.width
    val height = if (swaps) picture.width else picture.height
    val box = centralBox(width, height, preprocessing.width, preprocessing.height)
    val across = Taps.bilinear(width, box.left, box.right, preprocessing.width)
    val down = Taps.bilinear(height, box.top, box.bottom, preprocessing.height)
    val columns = (if (swaps) down else across).mirroredIf(orientation.mirrorsColumns, picture.width)
    val rows = (if (swaps) across else down).mirroredIf(orientation.mirrorsRows, picture.height)
    val resizing = if (swaps) RowsFirst(columns, rows, preprocessing) else
        ColumnsFirst(columns, rows, preprocessing)
    return resizing.resize(picture)
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
 * A resize in two passes over rows that arrive one after the other.
 *
 * @param columns along a stored row
 * @param rows along a stored column
 */
private abstract class Resizing(
    protected val columns: Taps,
    protected val rows: Taps,
    private val preprocessing: Preprocessing,
) {
    protected val channels = preprocessing.channels
    protected val width = preprocessing.width
    protected val values = ByteArray(preprocessing.height * width * channels)

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
        return Pixels(width, preprocessing.height, channels, values)
    }

    /** Filters one line, `(columns, channels)`, to `(outputs, channels)`. */
    protected fun filter(line: IntArray, into: IntArray) {
        for (output in 0 until columns.size) {
            val weights = columns.weights[output]
            val start = columns.first[output] - columns.start
            for (channel in 0 until channels) {
                var sum = HALF
                var at = start * channels + channel
                for (weight in weights) {
                    sum += line[at] * weight
                    at += channels
                }
                into[output * channels + channel] = toPixel(sum)
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

/** The order for pictures that are stored upright, mirrored or upside down. */
private class ColumnsFirst(columns: Taps, rows: Taps, preprocessing: Preprocessing) :
    Resizing(columns, rows, preprocessing) {
    private val short = IntArray(width * channels)
    private val sums = Sums(rows, short.size)

    override fun add(y: Int, line: IntArray) {
        filter(line, short)
        sums.add(y, short) { row, finished ->
            for (index in finished.indices) {
                values[row * finished.size + index] = finished[index].toByte()
            }
        }
    }
}

/** The order for pictures whose stored rows are shown as columns. */
private class RowsFirst(columns: Taps, rows: Taps, preprocessing: Preprocessing) :
    Resizing(columns, rows, preprocessing) {
    private val short = IntArray(preprocessing.height * channels)
    private val sums = Sums(rows, (columns.end - columns.start) * channels)

    override fun add(y: Int, line: IntArray) = sums.add(y, line) { column, finished ->
        filter(finished, short)
        for (index in short.indices) {
            val row = index / channels
            val channel = index % channels
            values[(row * width + column) * channels + channel] = short[index].toByte()
        }
    }
}
