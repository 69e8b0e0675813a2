package org.cnnkeras.demo.ui.views

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.util.AttributeSet
import android.view.View
import kotlin.math.max
import org.cnnkeras.demo.R

/** A bar of colored parts on a track, with rounded corners. */
class BarView(context: Context, attributes: AttributeSet) : View(context, attributes) {
    /** @property fraction of the length of the bar, from 0 to 1 */
    data class Part(val fraction: Float, val color: Int)

    private val paint = Paint(Paint.ANTI_ALIAS_FLAG)
    private val track = context.getColor(R.color.track)
    private val radius = 4 * resources.displayMetrics.density
    private val outline = Path()

    /** The parts, from the start of the bar; the track shows in the rest. */
    var parts: List<Part> = emptyList()
        set(value) {
            field = value
            invalidate()
        }

    override fun onSizeChanged(width: Int, height: Int, oldWidth: Int, oldHeight: Int) {
        outline.rewind()
        outline.addRoundRect(
            0f,
            0f,
            width.toFloat(),
            height.toFloat(),
            radius,
            radius,
            Path.Direction.CW,
        )
    }

    override fun onDraw(canvas: Canvas) {
        if (layoutDirection == LAYOUT_DIRECTION_RTL) canvas.scale(-1f, 1f, width / 2f, 0f)
        canvas.clipPath(outline)
        canvas.drawColor(track)
        var start = 0f
        for (part in parts) {
            // Even the smallest part is one dp long, so that it is visible.
            val length = max(part.fraction * width, resources.displayMetrics.density)
            paint.color = part.color
            canvas.drawRect(start, 0f, start + length, height.toFloat(), paint)
            start += length
        }
    }
}
