package org.cnnkeras.demo.ui.views

import java.util.Locale
import org.junit.Assert.assertEquals
import org.junit.Test

class NumbersTest {
    @Test
    fun threeDigitsAsTheCommandLine() = assertEquals(
        // The doctest of `export/benchmark/report.py`.
        listOf("0.0287", "1.30", "10.0", "2,802"),
        listOf(0.02871, 1.3, 10.0, 2801.7).map { significant(it, Locale.US) },
    )

    @Test
    fun roundingUpTakesADigitLess() = assertEquals("10.0", significant(9.996, Locale.US))

    @Test
    fun nothingIsZero() = assertEquals("0", significant(0.0, Locale.US))
}
