package org.cnnkeras.demo.model

/** A class and how likely the network finds it. */
data class Score(val index: Int, val label: String, val probability: Float)

/**
 * Returns the [k] likeliest classes, the likeliest first; of equal ones the lower index first, and
 * what is no number last.
 */
fun topK(probabilities: FloatArray, labels: List<String>, k: Int): List<Score> =
    probabilities.indices
        .sortedByDescending { index -> probabilities[index].takeUnless { it.isNaN() } ?: -1f }
        .take(k)
        .map { Score(it, labels[it], probabilities[it]) }
