package org.cnnkeras.demo.ui.views

import android.content.Context
import android.util.AttributeSet
import android.widget.FrameLayout
import kotlin.math.max
import kotlin.math.min
import org.cnnkeras.demo.R

/** A frame of given proportions, as large as fits the screen beside a title and buttons. */
class AspectFrame(context: Context, attributes: AttributeSet) : FrameLayout(context, attributes) {
    /** Width over height. */
    var aspect = 1f
        set(value) {
            field = value
            requestLayout()
        }

    init {
        clipToOutline = true
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val around = resources.getDimensionPixelSize(R.dimen.around_frame)
        val least = resources.getDimensionPixelSize(R.dimen.frame_least)
        val room = max(resources.displayMetrics.heightPixels - around, least)
        val width = min(MeasureSpec.getSize(widthMeasureSpec), (room * aspect).toInt())
        super.onMeasure(
            MeasureSpec.makeMeasureSpec(width, MeasureSpec.EXACTLY),
            MeasureSpec.makeMeasureSpec((width / aspect).toInt(), MeasureSpec.EXACTLY),
        )
    }
}
