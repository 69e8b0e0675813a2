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

/** Paper for one finger. Points lie between 0 and 1, so that strokes outlive a rotation. */
class SketchView(context: Context, attributes: AttributeSet) : View(context, attributes) {
    private val ink = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.text)
        style = Paint.Style.STROKE
        strokeCap = Paint.Cap.ROUND
        strokeJoin = Paint.Join.ROUND
    }
    private val hint = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.text_secondary)
        textAlign = Paint.Align.CENTER
        textSize = resources.getDimension(R.dimen.hint)
    }

    /** From touching to lifting, the last one growing. */
    var strokes: List<List<Point>> = emptyList()
        set(value) {
            field = value
            contentDescription = describe(value.size)
            invalidate()
        }

    /** Called after each change by a finger. */
    var onDrawn: () -> Unit = {}

    init {
        contentDescription = describe(0)
    }

    private fun describe(count: Int): String =
        if (count == 0) resources.getString(R.string.pad_spoken) else
            resources.getQuantityString(R.plurals.strokes_spoken, count, count)

    // A drawing has no click that could be performed for the user.
    @SuppressLint("ClickableViewAccessibility")
    override fun onTouchEvent(event: MotionEvent): Boolean {
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> {
                parent.requestDisallowInterceptTouchEvent(true) // the page would scroll
                strokes = strokes + listOf(listOf(point(event.x, event.y)))
            }
            MotionEvent.ACTION_MOVE -> strokes = strokes.dropLast(1) + listOf(
                strokes.lastOrNull().orEmpty() + points(event),
            )
            MotionEvent.ACTION_UP -> Unit
            else -> return false
        }
        onDrawn()
        return true
    }

    /** Also those that came since the last frame. */
    private fun points(event: MotionEvent): List<Point> =
        (0 until event.historySize).map {
            point(event.getHistoricalX(it), event.getHistoricalY(it))
        } + point(event.x, event.y)

    private fun point(x: Float, y: Float) =
        Point((x / width).coerceIn(0f, 1f), (y / height).coerceIn(0f, 1f))

    override fun onDraw(canvas: Canvas) {
        if (strokes.isEmpty()) {
            val text = resources.getString(R.string.draw_here)
            canvas.drawText(text, width / 2f, (height + hint.textSize) / 2, hint)
        }
        ink.strokeWidth = width * STROKE_WIDTH
        for (stroke in strokes) canvas.drawPath(path(stroke), ink)
    }

    /** Through the middles of the segments, so that fast fingers draw no corners. */
    private fun path(stroke: List<Point>): Path {
        val path = Path()
        val places = stroke.map { Point(it.x * width, it.y * height) }
        path.moveTo(places[0].x, places[0].y)
        for ((from, to) in places.zipWithNext()) {
            path.quadTo(from.x, from.y, (from.x + to.x) / 2, (from.y + to.y) / 2)
        }
        path.lineTo(places.last().x, places.last().y)
        return path
    }

    private companion object {
        /** Of the drawn line, relative to the paper; the network's own is another. */
        const val STROKE_WIDTH = 0.06f
    }
}
