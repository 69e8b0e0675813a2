package org.cnnkeras.demo.ui.camera

import org.junit.Assert.assertEquals
import org.junit.Test

class FrameRateTest {
    private fun rate(vararg millis: Long): Double {
        val rate = FrameRate()
        return millis.map { rate.tick(it * 1_000_000) }.last()
    }

    @Test
    fun firstFrameHasNoRate() = assertEquals(0.0, rate(5), 0.0)

    @Test
    fun rateOfRegularFrames() = assertEquals(25.0, rate(0, 40, 80, 120, 160), 1e-9)

    @Test
    fun oldFramesDoNotCount() =
        assertEquals(10.0, rate(0, 1, 2, 3, 5000, 5100, 5200, 5300), 1.0)
}
