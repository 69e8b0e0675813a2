package org.cnnkeras.demo.ui.views

import android.widget.RadioButton
import android.widget.RadioGroup
import org.cnnkeras.demo.R

/**
 * A radio group that selects one of a few numbers.
 *
 * @param text label of a number's button
 * @param description content description of a number's button, for screen readers
 */
class SegmentedControl(
    private val group: RadioGroup,
    private val values: List<Int>,
    text: (Int) -> String,
    description: (Int) -> String,
) {
    private val buttons = values.indices.map { group.getChildAt(it) as RadioButton }

    /** Called with the number that the user selects. */
    var onSelected: (Int) -> Unit = {}

    /** The selected number; null if it is not one of [values]. */
    var selected: Int?
        get() = buttons.indexOfFirst { it.isChecked }.takeIf { it >= 0 }?.let(values::get)
        set(value) {
            val index = values.indexOf(value)
            if (index < 0) group.clearCheck() else group.check(buttons[index].id)
        }

    /** Whether the user can select a number. */
    var isEnabled: Boolean
        get() = buttons[0].isEnabled
        set(value) = buttons.forEach { it.isEnabled = value }

    init {
        buttons.zip(values) { button, value ->
            button.text = text(value)
            button.contentDescription = description(value)
            // A click listener, because setting [selected] must not call [onSelected].
            button.setOnClickListener { onSelected(value) }
        }
    }
}

/** Makes a control for the number of threads. */
fun threadCountControl(group: RadioGroup): SegmentedControl {
    val resources = group.resources
    return SegmentedControl(group, listOf(1, 2, 4), Int::toString) {
        resources.getQuantityString(R.plurals.threads, it, it)
    }
}
