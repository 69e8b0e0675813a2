package org.cnnkeras.demo.ui.views

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.graphics.Rect
import android.graphics.RectF
import android.util.AttributeSet
import android.view.View
import kotlin.math.min
import org.cnnkeras.demo.image.Pixels

/** Shows the network input: each pixel is a square, and a single channel is gray. */
class PixelsView(context: Context, attributes: AttributeSet) : View(context, attributes) {
    // Without filtering, which would show a smoother image than the network gets.
    private val paint = Paint().apply { isFilterBitmap = false }
    private val frame = Rect()
    private val outline = Path()
    private var bitmap: Bitmap? = null

    /** Shows an image until the next call. */
    fun show(pixels: Pixels) {
        bitmap = Bitmap.createBitmap(
            toArgb(pixels),
            pixels.width,
            pixels.height,
            Bitmap.Config.ARGB_8888,
        )
        updateBounds()
        invalidate()
    }

    override fun onSizeChanged(width: Int, height: Int, oldWidth: Int, oldHeight: Int) =
        updateBounds()

    /** Fits the image into the view and keeps its aspect ratio. */
    private fun updateBounds() {
        val bitmap = bitmap ?: return
        val scale = min(width.toFloat() / bitmap.width, height.toFloat() / bitmap.height)
        frame.set(0, 0, (bitmap.width * scale).toInt(), (bitmap.height * scale).toInt())
        frame.offset((width - frame.width()) / 2, (height - frame.height()) / 2)
        val radius = CORNER * resources.displayMetrics.density
        outline.rewind()
        outline.addRoundRect(RectF(frame), radius, radius, Path.Direction.CW)
    }

    override fun onDraw(canvas: Canvas) {
        canvas.clipPath(outline)
        bitmap?.let { canvas.drawBitmap(it, null, frame, paint) }
    }

    private companion object {
        const val CORNER = 8 // dp
    }
}

/** Converts pixels to opaque ARGB colors, row by row. */
fun toArgb(pixels: Pixels): IntArray = IntArray(pixels.width * pixels.height) { index ->
    fun value(channel: Int): Int =
        pixels.values[index * pixels.channels + channel % pixels.channels].toInt() and 0xFF
    (0xFF shl 24) or (value(0) shl 16) or (value(1) shl 8) or value(2)
}
