package org.cnnkeras.demo.image

import kotlin.math.hypot
import kotlin.math.max
import kotlin.math.min
import org.cnnkeras.demo.model.DrawingStyle

/** A point of a stroke; y points down. */
data class Point(val x: Float, val y: Float)

/**
 * A drawing of strokes.
 *
 * @property strokes each from touch down to touch up; points in any unit, the same for both axes
 */
class StrokeDrawing(private val strokes: List<List<Point>>) {
    private val points = strokes.flatten()

    /** Whether there are no strokes. */
    val isEmpty: Boolean get() = points.isEmpty()

    /**
     * Renders the strokes white on black, with the scale, position and stroke width of the training
     * data, so that the size, the position and the line width on the screen do not matter.
     *
     * The image is [OVERSAMPLING] times larger than the network input; resizing it smooths its
     * edges.
     *
     * @param width width of the network input, in pixels
     * @param height height of the network input, in pixels
     * @param style the style of the training data, for which the bounding box is centered; null for
     *     the style of MNIST, which centers the center of mass
     */
    fun render(width: Int, height: Int, style: DrawingStyle?): Image {
        val (extent, relativeWidth) = style ?: MNIST
        val canvas = StrokeCanvas(width * OVERSAMPLING, height * OVERSAMPLING)
        if (isEmpty) return canvas
        val strokeWidth = relativeWidth * canvas.height
        val fitted = fitted(canvas, extent, strokeWidth)
        canvas.draw(fitted, strokeWidth)
        if (style != null) return canvas
        val centered = StrokeCanvas(canvas.width, canvas.height)
        centered.draw(fitted.shiftedToCenter(canvas, strokeWidth), strokeWidth)
        return centered
    }

    /** Centers the bounding box and scales it so that the strokes fill [extent] of the frame. */
    private fun fitted(canvas: StrokeCanvas, extent: Float, strokeWidth: Float): List<List<Point>> {
        val left = points.minOf { it.x }
        val top = points.minOf { it.y }
        val boxWidth = points.maxOf { it.x } - left
        val boxHeight = points.maxOf { it.y } - top
        val scale = min(
            scale(extent * canvas.width - strokeWidth, boxWidth),
            scale(extent * canvas.height - strokeWidth, boxHeight),
        )
        // A dot has no size and cannot be scaled.
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

    private fun scale(available: Float, size: Float): Float =
        if (size == 0f) Float.POSITIVE_INFINITY else max(available, 0f) / size

    /** Moves the center of mass to the center of the frame, as far as the strokes fit the frame. */
    private fun List<List<Point>>.shiftedToCenter(
        canvas: StrokeCanvas,
        strokeWidth: Float,
    ): List<List<Point>> {
        val mass = canvas.centerOfMass()
        val all = flatten()
        val dx = shift(canvas.width, mass.x, all.map { it.x }, strokeWidth)
        val dy = shift(canvas.height, mass.y, all.map { it.y }, strokeWidth)
        return map { stroke -> stroke.map { Point(it.x + dx, it.y + dy) } }
    }

    private fun shift(
        length: Int,
        mass: Float,
        coordinates: List<Float>,
        strokeWidth: Float,
    ): Float {
        val marginBefore = coordinates.min() - strokeWidth / 2
        val marginAfter = length - coordinates.max() - strokeWidth / 2
        return (length / 2f - mass).coerceIn(min(-marginBefore, 0f), max(marginAfter, 0f))
    }

    companion object {
        /** Pixels of the rendered image per pixel of the network input, along each axis. */
        const val OVERSAMPLING = 4

        /**
         * MNIST's digits fit into 20 of 28 pixels (LeCun, Bottou, Bengio and Haffner, 1998,
         * section III.A). Their strokes are 2.5 pixels wide: the mean that Morpho-MNIST
         * (arXiv:1809.10780, `t10k-morpho.csv`) states for the first 30 test digits.
         */
        private val MNIST = DrawingStyle(extent = 20f / 28, strokeWidth = 2.5f / 28)
    }
}

/** A black image that strokes are drawn on in white, with round caps. */
private class StrokeCanvas(override val width: Int, override val height: Int) : Image {
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

    /** Draws a line; the distance of a pixel center to it gives the coverage of the pixel. */
    private fun drawLine(from: Point, to: Point, radius: Float) {
        val reach = radius + 1
        val rows = range(min(from.y, to.y) - reach, max(from.y, to.y) + reach, height)
        val columns = range(min(from.x, to.x) - reach, max(from.x, to.x) + reach, width)
        for (y in rows) {
            for (x in columns) {
                val distance = distance(x + 0.5f, y + 0.5f, from, to)
                val coverage = (radius + 0.5f - distance).coerceIn(0f, 1f)
                val index = y * width + x
                if (coverage > values[index]) values[index] = coverage
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
        val projection = if (squared == 0f) 0f else
            (((x - from.x) * dx + (y - from.y) * dy) / squared).coerceIn(0f, 1f)
        return hypot(x - from.x - projection * dx, y - from.y - projection * dy)
    }

    private companion object {
        const val OPAQUE = 0xFF shl 24
        const val GRAY = 0x010101
    }
}
