package org.cnnkeras.demo.image

import org.cnnkeras.demo.model.Preprocessing
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class FitTest {
    private val square = Preprocessing(224, 224, 3, listOf(0f, 0f, 0f), listOf(1f, 1f, 1f))

    @Test
    fun rowsOutsideTheCropAreNotRead() {
        val tall = Recorder(50, 4000)
        fit(tall, Orientation.NORMAL, square)
        assertTrue(tall.rows.first() >= 1975 - 1)
        assertTrue(tall.rows.last() <= 2025)
    }

    @Test
    fun everyRowIsReadOnceAndInOrder() {
        for (orientation in Orientation.entries) {
            val picture = Recorder(640, 480)
            fit(picture, orientation, square)
            assertEquals(orientation.name, List(480) { it }, picture.rows)
        }
    }

    /** The heap of a test is far larger than a phone's; the picture would be 48 MB of integers. */
    @Test
    fun twelveMegapixelsNeedOnlySomeLines() {
        for (orientation in listOf(Orientation.NORMAL, Orientation.CLOCKWISE)) {
            val before = allocated()
            fit(Recorder(4000, 3000), orientation, square)
            assertTrue("${(allocated() - before) shr 20} MiB", allocated() - before < 16 shl 20)
        }
    }

    @Test
    fun onePixelFillsTheFrame() {
        val pixels = fit(Recorder(1, 1), Orientation.NORMAL, square)
        assertEquals(setOf(Recorder.GRAY.toByte()), pixels.values.toSet())
    }

    private fun allocated(): Long {
        val threads = java.lang.management.ManagementFactory.getThreadMXBean()
        return (threads as com.sun.management.ThreadMXBean)
            .getThreadAllocatedBytes(Thread.currentThread().id)
    }

    /** A gray picture that remembers which rows were read. */
    private class Recorder(override val width: Int, override val height: Int) : Picture {
        val rows = mutableListOf<Int>()

        override fun readRow(y: Int, into: IntArray) {
            rows += y
            into.fill((0xFF shl 24) or (GRAY * 0x010101), 0, width)
        }

        companion object {
            const val GRAY = 100
        }
    }
}
