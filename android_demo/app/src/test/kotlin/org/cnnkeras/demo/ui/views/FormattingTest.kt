package org.cnnkeras.demo.ui.views

import java.util.Locale
import org.junit.Assert.assertEquals
import org.junit.Test

class FormattingTest {
    @Test
    fun threeSignificantDigitsAsInTheCommandLine() = assertEquals(
        // The doctest of `export/benchmark/results.py`.
        listOf("0.0287", "1.30", "10.0", "2,802"),
        listOf(0.02871, 1.3, 10.0, 2801.7).map { formatSignificant(it, Locale.US) },
    )

    @Test
    fun roundedNumberHasThreeDigits() = assertEquals("10.0", formatSignificant(9.996, Locale.US))

    @Test
    fun zeroHasNoDecimals() = assertEquals("0", formatSignificant(0.0, Locale.US))
}
