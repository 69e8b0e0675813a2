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
import org.cnnkeras.demo.ui.views.bindChildren
import org.cnnkeras.demo.ui.views.inputDescription
import org.cnnkeras.demo.ui.views.isVisible
import org.cnnkeras.demo.ui.views.requireView
import org.cnnkeras.demo.ui.views.setTextIfChanged

/** Shows the network input and the most probable classes. */
class ResultCard(activity: Activity) {
    private val card: View = activity.requireView(R.id.result)
    private val pixels: PixelsView = activity.requireView(R.id.pixels)
    private val label: TextView = activity.requireView(R.id.top_label)
    private val percent: TextView = activity.requireView(R.id.top_percent)
    private val input: TextView = activity.requireView(R.id.input_size)
    private val scores: ViewGroup = activity.requireView(R.id.scores)
    private val resources = activity.resources

    /** Shows a classification; hides the card for null. */
    fun show(model: ModelFile?, classification: Classification?) {
        card.isVisible = classification != null
        if (model == null || classification == null) return
        val best = classification.top[0]
        val size = resources.inputDescription(model.preprocessing)
        pixels.show(classification.pixels)
        pixels.contentDescription = resources.getString(R.string.network_input_description, size)
        label.setTextIfChanged(best.label)
        percent.setTextIfChanged(resources.getString(R.string.percent, best.probability * 100))
        input.setTextIfChanged(resources.getString(R.string.network_input, size))
        val bestColor = scores.context.getColor(R.color.accent)
        val otherColor = scores.context.getColor(R.color.accent_pale)
        scores.bindChildren(classification.top, R.layout.row_score) { score ->
            val fraction = score.probability.coerceIn(0f, 1f)
            val text = resources.getString(R.string.percent, score.probability * 100)
            requireView<TextView>(R.id.label).text = score.label
            requireView<TextView>(R.id.percent).text = text
            requireView<BarView>(R.id.bar).parts =
                listOf(BarView.Part(fraction, if (score == best) bestColor else otherColor))
            contentDescription = resources.getString(
                R.string.score_description,
                score.label,
                score.probability * 100,
            )
        }
    }
}
