package org.cnnkeras.demo.ui.screens

import android.app.Activity
import android.content.res.ColorStateList
import android.view.View
import android.view.ViewGroup
import android.widget.ImageView
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.StageTimes
import org.cnnkeras.demo.ui.views.BarView
import org.cnnkeras.demo.ui.views.bindChildren
import org.cnnkeras.demo.ui.views.formatMilliseconds
import org.cnnkeras.demo.ui.views.isVisible
import org.cnnkeras.demo.ui.views.requireView

/** Shows the time of each stage as a bar and as a table. */
class TimesCard(activity: Activity) {
    private class Stage(val title: Int, val color: Int, val nanos: (StageTimes) -> Long)

    private val card: View = activity.requireView(R.id.stage_times)
    private val total: TextView = activity.requireView(R.id.total_time)
    private val bar: BarView = activity.requireView(R.id.stage_bar)
    private val rows: ViewGroup = activity.requireView(R.id.stage_rows)
    private val resources = activity.resources

    /** Shows times; hides the card for null. */
    fun show(times: StageTimes?) {
        card.isVisible = times != null
        if (times == null) return
        total.text = resources.formatMilliseconds(times.total / 1e6)
        bar.parts = STAGES.map {
            BarView.Part(it.nanos(times).toFloat() / times.total, bar.context.getColor(it.color))
        }
        rows.bindChildren(STAGES, R.layout.row_stage) { stage ->
            requireView<ImageView>(R.id.dot).imageTintList =
                ColorStateList.valueOf(context.getColor(stage.color))
            requireView<TextView>(R.id.label).setText(stage.title)
            requireView<TextView>(R.id.value).text =
                resources.formatMilliseconds(stage.nanos(times))
        }
    }

    private companion object {
        val STAGES = listOf(
            Stage(R.string.stage_decode, R.color.stage_decode) { it.decode },
            Stage(R.string.stage_resize, R.color.stage_resize) { it.resize },
            Stage(R.string.stage_normalize, R.color.stage_normalize) { it.normalize },
            Stage(R.string.stage_copy_in, R.color.stage_copy_in) { it.quantizeAndCopyIn },
            Stage(R.string.stage_invoke, R.color.stage_invoke) { it.invoke },
            Stage(R.string.stage_copy_out, R.color.stage_copy_out) { it.copyOut },
            Stage(R.string.stage_top_k, R.color.stage_top_k) { it.topK },
        )
    }
}
