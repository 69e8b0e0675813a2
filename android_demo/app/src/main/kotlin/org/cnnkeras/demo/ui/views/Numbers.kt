package org.cnnkeras.demo.ui.views

import android.content.res.Resources
import java.util.Locale
import kotlin.math.abs
import kotlin.math.max
import org.cnnkeras.demo.R
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.Preprocessing

/** Writes a number with three significant digits, or more if it has more before the point. */
fun significant(value: Double, locale: Locale = Locale.getDefault()): String {
    if (value == 0.0 || !value.isFinite()) return String.format(locale, "%.0f", value)
    // Rounded first: 9.996 has the digits of 10.0.
    val exponent = String.format(Locale.ROOT, "%.2e", abs(value)).substringAfter('e').toInt()
    return String.format(locale, "%,.${max(0, 2 - exponent)}f", value)
}

/** Writes milliseconds with a fixed number of digits, for columns. */
fun Resources.milliseconds(nanos: Long): String =
    getString(R.string.milliseconds, String.format(Locale.getDefault(), "%.3f", nanos / 1e6))

/** Writes milliseconds with three significant digits, to stand alone. */
fun Resources.milliseconds(value: Double): String =
    getString(R.string.milliseconds, significant(value))

/** Writes a size in kB or MB, as the command line does. */
fun size(bytes: Int): String =
    if (bytes < 1_000_000) "${significant(bytes / 1e3)} kB" else "${significant(bytes / 1e6)} MB"

/** Names what the network's input takes. */
fun Resources.input(preprocessing: Preprocessing): String {
    val text = if (preprocessing.channels == 1) R.string.input_gray else R.string.input_rgb
    return getString(text, preprocessing.height, preprocessing.width)
}

/** The facts that tell one model from another at a glance. */
fun Resources.facts(model: ModelFile): String = getString(
    R.string.model_facts,
    model.weightType,
    size(model.sizeBytes),
    input(model.preprocessing),
)
