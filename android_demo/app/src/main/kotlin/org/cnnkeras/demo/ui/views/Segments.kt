package org.cnnkeras.demo.ui.views

import android.widget.RadioButton
import android.widget.RadioGroup
import org.cnnkeras.demo.R

/** A choice of one of a few numbers, each a button of a group. */
class Segments(
    private val group: RadioGroup,
    private val values: List<Int>,
    text: (Int) -> String,
    spoken: (Int) -> String,
) {
    private val buttons = values.indices.map { group.getChildAt(it) as RadioButton }

    /** Called with a number that the user chose. */
    var onChosen: (Int) -> Unit = {}

    /** The chosen number; null if it is none of these. */
    var chosen: Int?
        get() = buttons.indexOfFirst { it.isChecked }.takeIf { it >= 0 }?.let(values::get)
        set(value) {
            val index = values.indexOf(value)
            if (index < 0) group.clearCheck() else group.check(buttons[index].id)
        }

    /** Whether a number can be chosen now. */
    var isEnabled: Boolean
        get() = buttons[0].isEnabled
        set(value) = buttons.forEach { it.isEnabled = value }

    init {
        buttons.zip(values) { button, value ->
            button.text = text(value)
            button.contentDescription = spoken(value)
            button.setOnClickListener { onChosen(value) } // not when the state is drawn
        }
    }
}

/** The numbers of threads that are offered. */
fun threadsOf(group: RadioGroup): Segments {
    val resources = group.resources
    return Segments(group, listOf(1, 2, 4), Int::toString) {
        resources.getQuantityString(R.plurals.threads, it, it)
    }
}
