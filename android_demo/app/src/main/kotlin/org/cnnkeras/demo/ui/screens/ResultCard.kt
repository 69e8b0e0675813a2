package org.cnnkeras.demo.ui.screens

import android.app.Activity
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import org.cnnkeras.demo.Classification
import org.cnnkeras.demo.R
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.ui.views.BarView
import org.cnnkeras.demo.ui.views.PixelsView
import org.cnnkeras.demo.ui.views.fill
import org.cnnkeras.demo.ui.views.input
import org.cnnkeras.demo.ui.views.isPresent
import org.cnnkeras.demo.ui.views.part
import org.cnnkeras.demo.ui.views.update

/** What the network sees, and what it says. */
class ResultCard(activity: Activity) {
    private val card: View = activity.part(R.id.result)
    private val pixels: PixelsView = activity.part(R.id.pixels)
    private val label: TextView = activity.part(R.id.answer_label)
    private val percent: TextView = activity.part(R.id.answer_percent)
    private val input: TextView = activity.part(R.id.answer_input)
    private val scores: ViewGroup = activity.part(R.id.scores)
    private val resources = activity.resources

    /** Shows a classification; nothing at all for null. */
    fun show(model: ModelFile?, seen: Classification?) {
        card.isPresent = seen != null
        if (model == null || seen == null) return
        val size = resources.input(model.preprocessing)
        pixels.show(seen.pixels)
        pixels.contentDescription = resources.getString(R.string.picture_spoken, size)
        label.update(seen.top[0].label)
        percent.update(resources.getString(R.string.percent, seen.top[0].probability * 100))
        input.update(resources.getString(R.string.seen_as, size))
        val color = scores.context.getColor(R.color.accent)
        val pale = scores.context.getColor(R.color.accent_pale)
        scores.fill(seen.top, R.layout.row_score) { score ->
            val share = score.probability.coerceIn(0f, 1f)
            val text = resources.getString(R.string.percent, score.probability * 100)
            part<TextView>(R.id.label).text = score.label
            part<TextView>(R.id.percent).text = text
            part<BarView>(R.id.bar).parts =
                listOf(BarView.Part(share, if (score == seen.top[0]) color else pale))
            contentDescription = resources.getString(
                R.string.score_spoken,
                score.label,
                score.probability * 100,
            )
        }
    }
}
