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
import org.cnnkeras.demo.ui.views.facts
import org.cnnkeras.demo.ui.views.fill
import org.cnnkeras.demo.ui.views.input
import org.cnnkeras.demo.ui.views.isPresent
import org.cnnkeras.demo.ui.views.part
import org.cnnkeras.demo.ui.views.significant
import org.cnnkeras.demo.ui.views.size
import org.cnnkeras.demo.ui.views.update

/** What the file says of itself. */
class ModelCard(activity: Activity) {
    private val card: View = activity.part(R.id.model_card)
    private val fileName: TextView = activity.part(R.id.file_name)
    private val facts: ViewGroup = activity.part(R.id.facts)
    private val notes: TextView = activity.part(R.id.assumed)
    private val remove: View = activity.part(R.id.remove)
    private val resources = activity.resources

    /** Shows a model; nothing at all for null. */
    fun show(open: OpenModel?) {
        card.isPresent = open != null
        if (open == null) return
        val model = open.model
        fileName.update(model.fileName)
        facts.fill(facts(model), R.layout.row_fact) { (label, value) ->
            part<TextView>(R.id.label).setText(label)
            part<TextView>(R.id.value).text = value
        }
        val missing = listOfNotNull(
            R.string.preprocessing_assumed.takeUnless { model.preprocessingStated },
            R.string.labels_missing.takeUnless { model.labelsStated },
        )
        notes.isPresent = missing.isNotEmpty()
        notes.text = missing.joinToString("\n") { resources.getString(it) }
        remove.isPresent = !open.entry.builtIn
    }

    private fun facts(model: ModelFile): List<Pair<Int, String>> = listOf(
        R.string.fact_weights to model.weightType,
        R.string.fact_size to size(model.sizeBytes),
        R.string.fact_input to tensor(model.input, resources.input(model.preprocessing)),
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
                significant(spec.scale.toDouble()),
                spec.zeroPoint,
            )
        }

    private fun normalization(model: ModelFile): String = resources.getString(
        R.string.normalization,
        numbers(model.preprocessing.mean),
        numbers(model.preprocessing.std),
    )

    /** One number where all channels have the same. */
    private fun numbers(values: List<Float>): String =
        if (values.distinct().size == 1) significant(values[0].toDouble())
        else values.joinToString(" ", "[", "]") { significant(it.toDouble()) }
}
