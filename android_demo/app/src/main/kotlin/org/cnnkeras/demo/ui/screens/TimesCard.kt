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
import org.cnnkeras.demo.ui.views.fill
import org.cnnkeras.demo.ui.views.isPresent
import org.cnnkeras.demo.ui.views.milliseconds
import org.cnnkeras.demo.ui.views.part

/** Where the time went: a bar and a table. */
class TimesCard(activity: Activity) {
    private class Stage(val title: Int, val color: Int, val nanos: (StageTimes) -> Long)

    private val card: View = activity.part(R.id.times)
    private val total: TextView = activity.part(R.id.total)
    private val bar: BarView = activity.part(R.id.stages)
    private val rows: ViewGroup = activity.part(R.id.stage_rows)
    private val resources = activity.resources

    /** Shows times; nothing at all for null. */
    fun show(times: StageTimes?) {
        card.isPresent = times != null
        if (times == null) return
        total.text = resources.milliseconds(times.total / 1e6)
        bar.parts = STAGES.map {
            BarView.Part(it.nanos(times).toFloat() / times.total, bar.context.getColor(it.color))
        }
        rows.fill(STAGES, R.layout.row_stage) { stage ->
            part<ImageView>(R.id.dot).imageTintList =
                ColorStateList.valueOf(context.getColor(stage.color))
            part<TextView>(R.id.label).setText(stage.title)
            part<TextView>(R.id.value).text =
                resources.milliseconds(stage.nanos(times))
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
