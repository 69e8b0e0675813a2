package org.cnnkeras.demo.ui.camera

import java.nio.ByteBuffer
import org.junit.Assert.assertEquals
import org.junit.Test

class YuvImageTest {
    private fun plane(rowStride: Int, pixelStride: Int, vararg values: Int): Plane {
        val bytes = ByteArray(values.size) { values[it].toByte() }
        return Plane.copy(ByteBuffer.wrap(bytes), rowStride, pixelStride)
    }

    private fun row(image: YuvImage, y: Int): List<String> {
        val row = IntArray(image.width)
        image.readRow(y, row)
        return row.map { "%08x".format(it) }
    }

    @Test
    fun neutralChromaIsGray() {
        val luma = plane(4, 1, 0, 128, 255, 9, 1, 2, 3, 9) // with one byte of row padding
        val neutral = plane(2, 1, 128, 128)
        val image = YuvImage(3, 2, luma, neutral, neutral)
        assertEquals(listOf("ff000000", "ff808080", "ffffffff"), row(image, 0))
        assertEquals(listOf("ff010101", "ff020202", "ff030303"), row(image, 1))
    }

    @Test
    fun colorsAreThoseOfJfif() {
        // Y, Cb and Cr of red, green and blue in JFIF, rounded.
        val luma = plane(6, 1, 76, 76, 150, 150, 29, 29)
        // The chroma planes are interleaved: a pixel stride of 2.
        val blue = plane(6, 2, 85, 255, 44, 21, 255, 107)
        val red = plane(6, 2, 255, 44, 21, 255, 107)
        val colors = row(YuvImage(6, 1, luma, blue, red), 0)
        assertEquals(listOf("fffe0000", "fffe0000"), colors.subList(0, 2))
        assertEquals(listOf("ff00ff01", "ff00ff01"), colors.subList(2, 4))
        assertEquals(listOf("ff0000fe", "ff0000fe"), colors.subList(4, 6))
    }
}
