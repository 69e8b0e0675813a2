package org.cnnkeras.demo.ui.views

import android.content.res.Resources
import java.util.Locale
import kotlin.math.abs
import kotlin.math.max
import org.cnnkeras.demo.R
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.Preprocessing

/** Formats a number with three significant digits, or with all digits of a larger integer part. */
fun formatSignificant(value: Double, locale: Locale = Locale.getDefault()): String {
    if (value == 0.0 || !value.isFinite()) return String.format(locale, "%.0f", value)
    // The exponent is that of the rounded number: 9.996 becomes 10.0.
    val exponent = String.format(Locale.ROOT, "%.2e", abs(value)).substringAfter('e').toInt()
    return String.format(locale, "%,.${max(0, 2 - exponent)}f", value)
}

/** Formats nanoseconds as milliseconds with three decimals, for columns. */
fun Resources.formatMilliseconds(nanos: Long): String =
    getString(R.string.milliseconds, String.format(Locale.getDefault(), "%.3f", nanos / 1e6))

/** Formats milliseconds with three significant digits. */
fun Resources.formatMilliseconds(value: Double): String =
    getString(R.string.milliseconds, formatSignificant(value))

/** Formats a size in kB or MB, as the command line does. */
fun formatSize(bytes: Int): String = if (bytes < 1_000_000) {
    "${formatSignificant(bytes / 1e3)} kB"
} else {
    "${formatSignificant(bytes / 1e6)} MB"
}

/** Describes the size and the channels of the network input. */
fun Resources.inputDescription(preprocessing: Preprocessing): String {
    val text = if (preprocessing.channels == 1) R.string.input_gray else R.string.input_rgb
    return getString(text, preprocessing.height, preprocessing.width)
}

/** Summarizes a model in one line: type of the weights, file size and input. */
fun Resources.modelSummary(model: ModelFile): String = getString(
    R.string.model_facts,
    model.weightType,
    formatSize(model.sizeBytes),
    inputDescription(model.preprocessing),
)
