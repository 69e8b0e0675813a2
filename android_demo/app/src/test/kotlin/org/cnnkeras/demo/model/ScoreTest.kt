package org.cnnkeras.demo.model

import org.junit.Assert.assertEquals
import org.junit.Test

class ScoreTest {
    private val labels = listOf("a", "b", "c", "d")

    @Test
    fun equalProbabilitiesAreOrderedByIndex() {
        val scores = topK(floatArrayOf(0.25f, 0.3f, 0.2f, 0.25f), labels, 3)
        assertEquals(
            listOf(Score(1, "b", 0.3f), Score(0, "a", 0.25f), Score(3, "d", 0.25f)),
            scores,
        )
    }

    @Test
    fun scoresAreLimitedToTheClasses() {
        assertEquals(4, topK(FloatArray(4), labels, 10).size)
    }

    @Test
    fun nanComesLast() {
        val scores = topK(floatArrayOf(Float.NaN, 0f, 1f, Float.NaN), labels, 4)
        assertEquals(listOf(2, 1, 0, 3), scores.map { it.index })
    }
}
