package org.cnnkeras.demo.model

/** A file that the app does not run; the message is one sentence for the user, without a break. */
class ModelException(message: String) : Exception(message)

/**
 * Why a file is refused, as it stands behind the file's name: `"has 2 inputs; …"`.
 *
 * Only [ModelReader] knows the name, and makes a [ModelException] of it.
 */
internal class Refusal(val predicate: String) : Exception(predicate)

/** Refuses a file for what it asks of the app. */
internal fun refuse(predicate: String): Nothing = throw Refusal(predicate)

/** Refuses a file that nobody can have written so. */
internal fun damaged(why: String): Nothing =
    refuse("is damaged ($why); copy or export it again.")

/** Refuses the file as damaged unless [holds]. */
internal inline fun requireIntact(holds: Boolean, why: () -> String) {
    if (!holds) damaged(why())
}

/** Text from a file without breaks. */
internal fun oneLine(text: String): String =
    text.map { if (it.isISOControl() || it in LINE_BREAKS) ' ' else it }.joinToString("")

/** Text from a file as it may stand in a sentence: without breaks, not longer than a line. */
internal fun printable(text: String): String =
    oneLine(text).let { if (it.length <= LONGEST) it else it.take(LONGEST - 1) + "…" }

private const val LINE_BREAKS = "\u2028\u2029"
private const val LONGEST = 80
