package org.cnnkeras.demo.ui.views

import android.content.Context
import android.util.AttributeSet
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import kotlin.math.max
import kotlin.math.min

/**
 * Lays out views in rows and wraps them as a text wraps words, so that large text fits.
 *
 * The remaining width of a row goes to its views by their `layout_weight`. Views without a fixed
 * height are as high as the highest view of their row.
 */
class FlowLayout(context: Context, attributes: AttributeSet) : ViewGroup(context, attributes) {
    private class Row(val views: MutableList<View> = mutableListOf(), var width: Int = 0) {
        val height: Int get() = views.maxOf { it.measuredHeight + it.margins.vertical }
    }

    private var rows = emptyList<Row>()

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        val maxWidth = when (MeasureSpec.getMode(widthMeasureSpec)) {
            MeasureSpec.UNSPECIFIED -> Int.MAX_VALUE
            else -> MeasureSpec.getSize(widthMeasureSpec) - paddingLeft - paddingRight
        }
        rows = wrap(maxWidth, heightMeasureSpec)
        for (row in rows) stretch(row, maxWidth)
        val width = (rows.maxOfOrNull { it.width } ?: 0) + paddingLeft + paddingRight
        val height = rows.sumOf { it.height } + paddingTop + paddingBottom
        setMeasuredDimension(
            resolveSize(width, widthMeasureSpec),
            resolveSize(height, heightMeasureSpec),
        )
    }

    private fun wrap(maxWidth: Int, heightMeasureSpec: Int): List<Row> {
        val rows = mutableListOf<Row>()
        for (view in visibleChildren()) {
            val limit = if (maxWidth == Int.MAX_VALUE) MeasureSpec.makeMeasureSpec(0, 0) else
                MeasureSpec.makeMeasureSpec(maxWidth, MeasureSpec.AT_MOST)
            measureChildWithMargins(view, limit, 0, heightMeasureSpec, 0)
            val maxViewWidth = maxWidth - view.margins.horizontal
            if (view.measuredWidth > maxViewWidth) {
                view.measure(exactly(maxViewWidth), heightMeasureSpec)
            }
            val width = view.measuredWidth + view.margins.horizontal
            if (rows.isEmpty() || width > maxWidth - rows.last().width) rows += Row()
            rows.last().views += view
            rows.last().width += width
        }
        return rows
    }

    private fun stretch(row: Row, maxWidth: Int) {
        val remaining = if (maxWidth == Int.MAX_VALUE) 0 else max(0, maxWidth - row.width)
        val weights = row.views.sumOf { it.margins.weight.toDouble() }
        for (view in row.views) {
            val margins = view.margins
            if (margins.weight == 0f || weights == 0.0) continue
            val extra = (remaining * margins.weight / weights).toInt()
            val width = min(view.measuredWidth + extra, maxWidth - margins.horizontal)
            view.measure(exactly(width), MeasureSpec.makeMeasureSpec(0, 0))
            row.width += extra
        }
        val height = row.height
        for (view in row.views.filter { it.margins.height < 0 }) {
            view.measure(exactly(view.measuredWidth), exactly(height - view.margins.vertical))
        }
    }

    override fun onLayout(changed: Boolean, l: Int, t: Int, r: Int, b: Int) {
        val mirrored = layoutDirection == LAYOUT_DIRECTION_RTL
        var top = paddingTop
        for (row in rows) {
            var start = paddingStart
            for (view in row.views) {
                val margins = view.margins
                start += margins.marginStart
                val left = if (mirrored) width - start - view.measuredWidth else start
                val y = top + margins.topMargin
                view.layout(left, y, left + view.measuredWidth, y + view.measuredHeight)
                start += view.measuredWidth + margins.marginEnd
            }
            top += row.height
        }
    }

    private fun visibleChildren(): List<View> =
        (0 until childCount).map(::getChildAt).filter { it.visibility != GONE }

    private fun exactly(size: Int) = MeasureSpec.makeMeasureSpec(size, MeasureSpec.EXACTLY)

    override fun generateLayoutParams(attributes: AttributeSet) =
        LinearLayout.LayoutParams(context, attributes)

    override fun generateLayoutParams(params: LayoutParams) = LinearLayout.LayoutParams(params)

    override fun generateDefaultLayoutParams() =
        LinearLayout.LayoutParams(LayoutParams.WRAP_CONTENT, LayoutParams.WRAP_CONTENT)

    override fun checkLayoutParams(params: LayoutParams?) = params is LinearLayout.LayoutParams
}

private val View.margins get() = layoutParams as LinearLayout.LayoutParams

private val LinearLayout.LayoutParams.horizontal get() = marginStart + marginEnd

private val LinearLayout.LayoutParams.vertical get() = topMargin + bottomMargin
