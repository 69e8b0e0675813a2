package org.cnnkeras.demo.ui.views

import android.content.Context
import android.util.AttributeSet
import android.widget.FrameLayout
import kotlin.math.max
import kotlin.math.min
import org.cnnkeras.demo.R

/** A frame with a given aspect ratio, as large as fits the screen beside a title and buttons. */
class AspectRatioFrameLayout(context: Context, attributes: AttributeSet) :
    FrameLayout(context, attributes) {
    /** Width divided by height. */
    var aspectRatio = 1f
        set(value) {
            field = value
            requestLayout()
        }

    init {
        clipToOutline = true
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val surroundings = resources.getDimensionPixelSize(R.dimen.space_around_frame)
        val minHeight = resources.getDimensionPixelSize(R.dimen.frame_min_height)
        val maxHeight = max(resources.displayMetrics.heightPixels - surroundings, minHeight)
        val width = min(MeasureSpec.getSize(widthMeasureSpec), (maxHeight * aspectRatio).toInt())
        super.onMeasure(
            MeasureSpec.makeMeasureSpec(width, MeasureSpec.EXACTLY),
            MeasureSpec.makeMeasureSpec((width / aspectRatio).toInt(), MeasureSpec.EXACTLY),
        )
    }
}
