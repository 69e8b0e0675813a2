package org.cnnkeras.demo.benchmark

import org.cnnkeras.demo.Fixtures
import org.cnnkeras.demo.doubles
import org.cnnkeras.demo.objects
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Test

class StatisticsTest {
    private val cases = Fixtures.array("percentiles.json").objects()

    @Test
    fun percentilesEqualNumPy() {
        for (case in cases) {
            val expected = case.getJSONObject("percentiles")
            for (q in expected.keys()) {
                val actual = percentile(samples(case), q.toDouble())
                assertEquals("$q of ${samples(case).size}", expected.getDouble(q), actual, 0.0)
            }
        }
    }

    /** NumPy sums in another order, so that the last digits differ. */
    @Test
    fun meanAndStandardDeviationEqualNumPy() {
        for (case in cases) {
            val summary = Summary.of(samples(case))
            assertEquals(case.getDouble("mean"), summary.mean, 1e-13)
            assertEquals(case.getDouble("std"), summary.std, 1e-13)
            assertEquals(case.getDouble("min"), summary.min, 0.0)
        }
    }

    @Test
    fun percentilesIncrease() {
        val summary = Summary.of(samples(cases.last()))
        val percentiles = listOf(summary.min, summary.p50, summary.p90, summary.p95, summary.p99)
        assertEquals(percentiles.sorted(), percentiles)
    }

    @Test
    fun invalidArgumentsAreRejected() {
        assertThrows(IllegalArgumentException::class.java) { percentile(DoubleArray(0), 50.0) }
        assertThrows(IllegalArgumentException::class.java) { percentile(doubleArrayOf(1.0), 101.0) }
    }

    @Test
    fun throttlingIsTheRatioOfTheQuarters() {
        val samples = DoubleArray(400) { if (it < 200) 2.0 else 3.0 }
        val throttling = Throttling.of(samples)!!
        assertEquals(2.0, throttling.firstQuarterP50, 0.0)
        assertEquals(3.0, throttling.lastQuarterP50, 0.0)
        assertEquals(1.5, throttling.ratio, 0.0)
    }

    @Test
    fun throttlingIsNullForThreeRuns() {
        assertNull(Throttling.of(DoubleArray(3) { 1.0 }))
    }

    private fun samples(case: JSONObject) = case.getJSONArray("samples").doubles().toDoubleArray()
}
