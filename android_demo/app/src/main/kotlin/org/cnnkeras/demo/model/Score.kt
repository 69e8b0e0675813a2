package org.cnnkeras.demo.model

/** The probability of a class. */
data class Score(val index: Int, val label: String, val probability: Float)

/**
 * Returns the [k] most probable classes in descending order. Equal probabilities are ordered by
 * index, and NaN comes last.
 */
fun topK(probabilities: FloatArray, labels: List<String>, k: Int): List<Score> =
    probabilities.indices
        .sortedByDescending { index -> probabilities[index].takeUnless { it.isNaN() } ?: -1f }
        .take(k)
        .map { Score(it, labels[it], probabilities[it]) }
