package org.cnnkeras.demo.image

import org.cnnkeras.demo.model.Preprocessing
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Test

class OrientationTest {
    /** An image of three columns and two rows, stored in each orientation. */
    @Test
    fun everyOrientationIsRotatedUpright() {
        val upright = "abc def"
        val stored = mapOf(
            1 to "abc def", 2 to "cba fed", 3 to "fed cba", 4 to "def abc",
            5 to "ad be cf", 6 to "cf be ad", 7 to "fc eb da", 8 to "da eb fc",
        )
        for ((exif, rows) in stored) {
            val rotated = cropAndResize(image(rows), Orientation.ofExif(exif), preprocessing(3, 2))
            assertEquals("orientation $exif", upright, text(rotated))
        }
    }

    @Test
    fun unknownTagIsNormal() {
        for (value in listOf(0, 9, -1)) assertEquals(Orientation.NORMAL, Orientation.ofExif(value))
    }

    /** The order of the passes depends on the upright image, not on the stored one. */
    @Test
    fun storedOrientationDoesNotChangeTheRounding() {
        val rows = List(37) { y -> row(53) { x -> ((x * 7 + y * 13 + x * y) % 200).toChar() } }
        val columns = List(53) { x -> row(37) { y -> rows[y][x] } }
        val upright = cropAndResize(image(rows), Orientation.NORMAL, preprocessing(8, 5))
        val rotated = cropAndResize(image(columns), Orientation.TRANSPOSED, preprocessing(8, 5))
        assertArrayEquals(upright.values, rotated.values)
    }

    private fun preprocessing(width: Int, height: Int) =
        Preprocessing(height, width, 1, listOf(0f), listOf(1f))

    private fun row(length: Int, pixel: (Int) -> Char) = String(CharArray(length, pixel))

    private fun image(rows: String): Image = image(rows.split(' '))

    private fun image(rows: List<String>) = object : Image {
        override val width = rows[0].length
        override val height = rows.size

        override fun readRow(y: Int, into: IntArray) {
            for (x in 0 until width) into[x] = (0xFF shl 24) or (rows[y][x].code * 0x010101)
        }
    }

    private fun text(pixels: Pixels): String =
        String(CharArray(pixels.values.size) { pixels.values[it].toInt().toChar() })
            .chunked(pixels.width).joinToString(" ")
}
