package org.cnnkeras.demo.image

import org.cnnkeras.demo.model.Preprocessing
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class CropAndResizeTest {
    private val square = Preprocessing(224, 224, 3, listOf(0f, 0f, 0f), listOf(1f, 1f, 1f))

    @Test
    fun rowsOutsideTheCropAreNotRead() {
        val tall = RecordingImage(50, 4000)
        cropAndResize(tall, Orientation.NORMAL, square)
        assertTrue(tall.rows.first() >= 1975 - 1)
        assertTrue(tall.rows.last() <= 2025)
    }

    @Test
    fun everyRowIsReadOnceInOrder() {
        for (orientation in Orientation.entries) {
            val image = RecordingImage(640, 480)
            cropAndResize(image, orientation, square)
            assertEquals(orientation.name, List(480) { it }, image.rows)
        }
    }

    /** The whole image would take 48 MB; the heap of the test is larger than that of a phone. */
    @Test
    fun twelveMegapixelsNeedLittleMemory() {
        for (orientation in listOf(Orientation.NORMAL, Orientation.CLOCKWISE)) {
            val before = allocated()
            cropAndResize(RecordingImage(4000, 3000), orientation, square)
            assertTrue("${(allocated() - before) shr 20} MiB", allocated() - before < 16 shl 20)
        }
    }

    @Test
    fun onePixelFillsTheOutput() {
        val pixels = cropAndResize(RecordingImage(1, 1), Orientation.NORMAL, square)
        assertEquals(setOf(RecordingImage.GRAY.toByte()), pixels.values.toSet())
    }

    private fun allocated(): Long {
        val threads = java.lang.management.ManagementFactory.getThreadMXBean()
        return (threads as com.sun.management.ThreadMXBean)
            .getThreadAllocatedBytes(Thread.currentThread().id)
    }

    /** A gray image that records which rows are read. */
    private class RecordingImage(override val width: Int, override val height: Int) : Image {
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
