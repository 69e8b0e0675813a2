package org.cnnkeras.demo.model

/** The app cannot run a model; the message is one sentence for the user, on one line. */
class ModelException(message: String) : Exception(message)

/**
 * The reason to refuse a file, as the predicate of a sentence: `"has 2 inputs; …"`.
 *
 * [ModelReader] knows the name of the file and converts it to a [ModelException].
 */
internal class Refusal(val predicate: String) : Exception(predicate)

/** Refuses a valid file that the app cannot run. */
internal fun refuse(predicate: String): Nothing = throw Refusal(predicate)

/** Refuses an invalid file. */
internal fun damaged(why: String): Nothing =
    refuse("is damaged ($why); copy or export it again.")

/** Refuses the file as damaged unless [holds] is true. */
internal inline fun requireIntact(holds: Boolean, why: () -> String) {
    if (!holds) damaged(why())
}

/** Replaces line breaks and other control characters with spaces. */
internal fun oneLine(text: String): String =
    text.map { if (it.isISOControl() || it in LINE_BREAKS) ' ' else it }.joinToString("")

/** Shortens text from a file to one line that fits into a sentence. */
internal fun printable(text: String): String =
    oneLine(text).let { if (it.length <= MAX_LENGTH) it else it.take(MAX_LENGTH - 1) + "…" }

private const val LINE_BREAKS = "\u2028\u2029"
private const val MAX_LENGTH = 80
