package org.cnnkeras.demo.ui.screens

import android.app.Activity
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.TensorSpec
import org.cnnkeras.demo.model.TensorType
import org.cnnkeras.demo.ui.state.OpenModel
import org.cnnkeras.demo.ui.views.bindChildren
import org.cnnkeras.demo.ui.views.formatSignificant
import org.cnnkeras.demo.ui.views.formatSize
import org.cnnkeras.demo.ui.views.inputDescription
import org.cnnkeras.demo.ui.views.isVisible
import org.cnnkeras.demo.ui.views.requireView
import org.cnnkeras.demo.ui.views.setTextIfChanged

/** Shows the properties of the open model. */
class ModelCard(activity: Activity) {
    private val card: View = activity.requireView(R.id.model_card)
    private val fileName: TextView = activity.requireView(R.id.file_name)
    private val facts: ViewGroup = activity.requireView(R.id.facts)
    private val notes: TextView = activity.requireView(R.id.notes)
    private val remove: View = activity.requireView(R.id.remove_model)
    private val resources = activity.resources

    /** Shows a model; hides the card for null. */
    fun show(open: OpenModel?) {
        card.isVisible = open != null
        if (open == null) return
        val model = open.model
        fileName.setTextIfChanged(model.fileName)
        facts.bindChildren(facts(model), R.layout.row_fact) { (label, value) ->
            requireView<TextView>(R.id.label).setText(label)
            requireView<TextView>(R.id.value).text = value
        }
        val assumptions = listOfNotNull(
            R.string.preprocessing_assumed.takeUnless { model.hasPreprocessing },
            R.string.labels_missing.takeUnless { model.hasLabels },
        )
        notes.isVisible = assumptions.isNotEmpty()
        notes.text = assumptions.joinToString("\n") { resources.getString(it) }
        remove.isVisible = !open.entry.builtIn
    }

    private fun facts(model: ModelFile): List<Pair<Int, String>> = listOf(
        R.string.fact_weights to model.weightType,
        R.string.fact_size to formatSize(model.sizeBytes),
        R.string.fact_input to tensor(model.input, resources.inputDescription(model.preprocessing)),
        R.string.fact_output to tensor(
            model.output,
            resources.getQuantityString(R.plurals.classes, model.labels.size, model.labels.size),
        ),
        R.string.fact_normalization to normalization(model),
    )

    private fun tensor(spec: TensorSpec, shape: String): String =
        if (spec.type == TensorType.FLOAT32) {
            resources.getString(R.string.tensor, spec.type.title, shape)
        } else {
            resources.getString(
                R.string.tensor_quantized,
                spec.type.title,
                shape,
                formatSignificant(spec.scale.toDouble()),
                spec.zeroPoint,
            )
        }

    private fun normalization(model: ModelFile): String = resources.getString(
        R.string.normalization,
        channelValues(model.preprocessing.mean),
        channelValues(model.preprocessing.std),
    )

    /** Returns a single number if all channels have the same value. */
    private fun channelValues(values: List<Float>): String =
        if (values.distinct().size == 1) formatSignificant(values[0].toDouble())
        else values.joinToString(" ", "[", "]") { formatSignificant(it.toDouble()) }
}
