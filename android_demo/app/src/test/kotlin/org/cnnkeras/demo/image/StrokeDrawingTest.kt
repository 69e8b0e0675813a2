package org.cnnkeras.demo.image

import kotlin.math.abs
import kotlin.math.cos
import kotlin.math.sin
import org.cnnkeras.demo.model.DrawingStyle
import org.cnnkeras.demo.model.Preprocessing
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class StrokeDrawingTest {
    private val seven = listOf(
        listOf(Point(10f, 10f), Point(60f, 12f), Point(40f, 60f), Point(30f, 95f)),
    )
    private val digits = DrawingStyle(extent = 0.9f, strokeWidth = 0.125f)

    @Test
    fun sizeAndPositionOfTheStrokesDoNotMatter() {
        val small = seven.map { stroke -> stroke.map { Point(it.x / 16 + 300, it.y / 16 + 7) } }
        for (style in listOf(null, digits)) {
            val difference = values(StrokeDrawing(seven), style)
                .zip(values(StrokeDrawing(small), style))
                .maxOf { (a, b) -> abs(a - b) }
            assertTrue("$difference levels", difference <= 1) // the coordinates are rounded
        }
    }

    @Test
    fun extentAndStrokeWidthAreThoseOfTheStyle() {
        val line = StrokeDrawing(listOf(listOf(Point(0f, 0f), Point(0f, 7f))))
        val values = values(line, digits)
        val rows = values.chunked(SIZE) { it.sum() / 255.0 }
        val thickness = rows[SIZE / 2]
        assertEquals(0.125 * SIZE, thickness, 0.1)
        assertEquals(0.9 * SIZE, rows.count { it > thickness / 2 }.toDouble(), 1.0)
    }

    @Test
    fun wideDrawingFitsTheFrame() {
        val values = values(StrokeDrawing(listOf(listOf(Point(0f, 0f), Point(300f, 10f)))), digits)
        for (y in 0 until SIZE) {
            assertEquals(0, values[y * SIZE])
            assertEquals(0, values[y * SIZE + SIZE - 1])
        }
    }

    @Test
    fun centerOfMassIsCenteredWithoutAStyle() {
        val six = listOf(
            List(30) { Point(50 + 20 * cos(it / 4f), 80 + 20 * sin(it / 4f)) },
            listOf(Point(32f, 75f), Point(50f, 10f)),
        )
        val values = values(StrokeDrawing(six), style = null)
        val mass = values.sum().toDouble()
        val x = values.indices.sumOf { values[it] * (it % SIZE + 0.5) } / mass
        val y = values.indices.sumOf { values[it] * (it / SIZE + 0.5) } / mass
        assertEquals(SIZE / 2.0, x, 0.1)
        assertEquals(SIZE / 2.0, y, 0.1)
    }

    @Test
    fun dotIsCentered() {
        val values = values(StrokeDrawing(listOf(listOf(Point(3f, 4f)))), digits)
        assertEquals(255, values[SIZE / 2 * SIZE + SIZE / 2])
        assertEquals(Math.PI * 2 * 2, values.sum() / 255.0, 0.3) // a radius of 2 pixels
    }

    @Test
    fun emptyDrawingIsBlack() {
        val empty = StrokeDrawing(emptyList())
        assertTrue(empty.isEmpty)
        assertArrayEquals(IntArray(SIZE * SIZE), values(empty, style = null).toIntArray())
    }

    private fun values(drawing: StrokeDrawing, style: DrawingStyle?): List<Int> {
        val preprocessing = Preprocessing(SIZE, SIZE, 1, listOf(0f), listOf(1f))
        val image = drawing.render(SIZE, SIZE, style)
        val pixels = cropAndResize(image, Orientation.NORMAL, preprocessing)
        return pixels.values.map { it.toInt() and 0xFF }
    }

    private companion object {
        const val SIZE = 32
    }
}
