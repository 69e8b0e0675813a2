package org.cnnkeras.demo.ui.views

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.View
import org.cnnkeras.demo.R
import org.cnnkeras.demo.image.Point

/** A drawing pad. Points are from 0 to 1, so that the strokes stay valid after a rotation. */
class DrawingView(context: Context, attributes: AttributeSet) : View(context, attributes) {
    private val strokePaint = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.text)
        style = Paint.Style.STROKE
        strokeCap = Paint.Cap.ROUND
        strokeJoin = Paint.Join.ROUND
    }
    private val hintPaint = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.text_secondary)
        textAlign = Paint.Align.CENTER
        textSize = resources.getDimension(R.dimen.hint_text_size)
    }

    /** The strokes, each from touch down to touch up. */
    var strokes: List<List<Point>> = emptyList()
        set(value) {
            field = value
            contentDescription = describe(value.size)
            invalidate()
        }

    /** Called after each touch that changes the strokes. */
    var onStrokesChanged: () -> Unit = {}

    init {
        contentDescription = describe(0)
    }

    private fun describe(count: Int): String =
        if (count == 0) resources.getString(R.string.drawing_pad_description) else
            resources.getQuantityString(R.plurals.strokes_description, count, count)

    // There is no click that a screen reader could perform on a drawing pad.
    @SuppressLint("ClickableViewAccessibility")
    override fun onTouchEvent(event: MotionEvent): Boolean {
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> {
                parent.requestDisallowInterceptTouchEvent(true) // otherwise the page scrolls
                strokes = strokes + listOf(listOf(point(event.x, event.y)))
            }
            MotionEvent.ACTION_MOVE -> strokes = strokes.dropLast(1) + listOf(
                strokes.lastOrNull().orEmpty() + points(event),
            )
            MotionEvent.ACTION_UP -> Unit
            else -> return false
        }
        onStrokesChanged()
        return true
    }

    /** Returns all points of the event, including those between two frames. */
    private fun points(event: MotionEvent): List<Point> =
        (0 until event.historySize).map {
            point(event.getHistoricalX(it), event.getHistoricalY(it))
        } + point(event.x, event.y)

    private fun point(x: Float, y: Float) =
        Point((x / width).coerceIn(0f, 1f), (y / height).coerceIn(0f, 1f))

    override fun onDraw(canvas: Canvas) {
        if (strokes.isEmpty()) {
            val text = resources.getString(R.string.draw_here)
            canvas.drawText(text, width / 2f, (height + hintPaint.textSize) / 2, hintPaint)
        }
        strokePaint.strokeWidth = width * STROKE_WIDTH
        for (stroke in strokes) canvas.drawPath(path(stroke), strokePaint)
    }

    /** Draws curves through the midpoints of the segments, so that a fast stroke has no corners. */
    private fun path(stroke: List<Point>): Path {
        val path = Path()
        val points = stroke.map { Point(it.x * width, it.y * height) }
        path.moveTo(points[0].x, points[0].y)
        for ((from, to) in points.zipWithNext()) {
            path.quadTo(from.x, from.y, (from.x + to.x) / 2, (from.y + to.y) / 2)
        }
        path.lineTo(points.last().x, points.last().y)
        return path
    }

    private companion object {
        /** Width of a stroke on the pad, as a fraction of the width of the pad. */
        const val STROKE_WIDTH = 0.06f
    }
}
