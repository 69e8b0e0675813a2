package org.cnnkeras.demo.image

import kotlin.math.hypot
import kotlin.math.max
import kotlin.math.min
import org.cnnkeras.demo.model.Drawing

/** Where a finger was; y grows downwards. */
data class Point(val x: Float, val y: Float)

/**
 * What a finger drew.
 *
 * @property strokes from touching to lifting; points in any unit, the same for both axes
 */
class Sketch(private val strokes: List<List<Point>>) {
    private val points = strokes.flatten()

    /** Whether nothing was drawn. */
    val isEmpty: Boolean get() = points.isEmpty()

    /**
     * Draws the strokes white on black, scaled and centered as the network's training data is, so
     * that it does not matter how large, where and with how thick a finger they were drawn.
     *
     * The picture is [OVERSAMPLING] times larger than the network's input and goes the way of any
     * other picture from there, which smooths its edges.
     *
     * @param width of the network's input, in pixels
     * @param height of the network's input, in pixels
     * @param drawing how the training data fills its frame, and the bounding box is centered; null
     *     for MNIST's way, which centers by mass
     */
    fun picture(width: Int, height: Int, drawing: Drawing?): Picture {
        val style = drawing ?: MNIST
        val canvas = Canvas(width * OVERSAMPLING, height * OVERSAMPLING)
        if (isEmpty) return canvas
        val strokeWidth = style.strokeWidth * canvas.height
        val placed = placed(canvas, style.extent, strokeWidth)
        canvas.draw(placed, strokeWidth)
        if (drawing != null) return canvas
        val centered = Canvas(canvas.width, canvas.height)
        centered.draw(placed.shiftedToCenter(canvas, strokeWidth), strokeWidth)
        return centered
    }

    /** The strokes with their bounding box at the center, the ink filling [share] of the frame. */
    private fun placed(canvas: Canvas, share: Float, strokeWidth: Float): List<List<Point>> {
        val left = points.minOf { it.x }
        val top = points.minOf { it.y }
        val boxWidth = points.maxOf { it.x } - left
        val boxHeight = points.maxOf { it.y } - top
        val scale = min(
            scale(share * canvas.width - strokeWidth, boxWidth),
            scale(share * canvas.height - strokeWidth, boxHeight),
        )
        // A dot has no size that could be scaled.
        val factor = if (scale.isInfinite()) 0f else scale
        return strokes.map { stroke ->
            stroke.map {
                Point(
                    (it.x - left - boxWidth / 2) * factor + canvas.width / 2f,
                    (it.y - top - boxHeight / 2) * factor + canvas.height / 2f,
                )
            }
        }
    }

    private fun scale(room: Float, size: Float): Float =
        if (size == 0f) Float.POSITIVE_INFINITY else max(room, 0f) / size

    /** Moves the center of mass to the middle, as far as no ink leaves the frame. */
    private fun List<List<Point>>.shiftedToCenter(
        canvas: Canvas,
        strokeWidth: Float,
    ): List<List<Point>> {
        val mass = canvas.centerOfMass()
        val all = flatten()
        val dx = shift(canvas.width, mass.x, all.map { it.x }, strokeWidth)
        val dy = shift(canvas.height, mass.y, all.map { it.y }, strokeWidth)
        return map { stroke -> stroke.map { Point(it.x + dx, it.y + dy) } }
    }

    private fun shift(length: Int, mass: Float, places: List<Float>, strokeWidth: Float): Float {
        val before = places.min() - strokeWidth / 2
        val behind = length - places.max() - strokeWidth / 2
        return (length / 2f - mass).coerceIn(min(-before, 0f), max(behind, 0f))
    }

    companion object {
        /** Pixels of the drawn picture per pixel of the network's input, along each axis. */
        const val OVERSAMPLING = 4

        /**
         * MNIST's digits fit into 20 of 28 pixels (LeCun, Bottou, Bengio and Haffner, 1998,
         * section III.A); their strokes are 2.5 pixels wide, the mean that Morpho-MNIST
         * (arXiv:1809.10780, `t10k-morpho.csv`) gives for the first 30 of the test.
         */
        private val MNIST = Drawing(extent = 20f / 28, strokeWidth = 2.5f / 28)
    }
}

/** A black picture on which white strokes are drawn with round ends. */
private class Canvas(override val width: Int, override val height: Int) : Picture {
    private val values = FloatArray(width * height) // from 0 to 1

    override fun readRow(y: Int, into: IntArray) {
        for (x in 0 until width) {
            val gray = (values[y * width + x] * 255 + 0.5f).toInt()
            into[x] = OPAQUE or (gray * GRAY)
        }
    }

    fun draw(strokes: List<List<Point>>, strokeWidth: Float) {
        for (stroke in strokes) {
            if (stroke.size == 1) drawLine(stroke[0], stroke[0], strokeWidth / 2)
            for ((from, to) in stroke.zipWithNext()) drawLine(from, to, strokeWidth / 2)
        }
    }

    /** Each pixel is as white as the line covers it, judged by its center's distance. */
    private fun drawLine(from: Point, to: Point, radius: Float) {
        val reach = radius + 1
        val rows = range(min(from.y, to.y) - reach, max(from.y, to.y) + reach, height)
        val columns = range(min(from.x, to.x) - reach, max(from.x, to.x) + reach, width)
        for (y in rows) {
            for (x in columns) {
                val distance = distance(x + 0.5f, y + 0.5f, from, to)
                val covered = (radius + 0.5f - distance).coerceIn(0f, 1f)
                val index = y * width + x
                if (covered > values[index]) values[index] = covered
            }
        }
    }

    fun centerOfMass(): Point {
        var mass = 0.0
        var sumX = 0.0
        var sumY = 0.0
        for (index in values.indices) {
            mass += values[index]
            sumX += values[index] * (index % width + 0.5)
            sumY += values[index] * (index / width + 0.5)
        }
        if (mass == 0.0) return Point(width / 2f, height / 2f)
        return Point((sumX / mass).toFloat(), (sumY / mass).toFloat())
    }

    private fun range(from: Float, to: Float, length: Int): IntRange =
        max(from.toInt(), 0)..min(to.toInt(), length - 1)

    private fun distance(x: Float, y: Float, from: Point, to: Point): Float {
        val dx = to.x - from.x
        val dy = to.y - from.y
        val squared = dx * dx + dy * dy
        val along = if (squared == 0f) 0f else
            (((x - from.x) * dx + (y - from.y) * dy) / squared).coerceIn(0f, 1f)
        return hypot(x - from.x - along * dx, y - from.y - along * dy)
    }

    private companion object {
        const val OPAQUE = 0xFF shl 24
        const val GRAY = 0x010101
    }
}
