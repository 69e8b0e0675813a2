package org.cnnkeras.demo

import kotlin.math.PI
import kotlin.math.cos
import kotlin.math.sin
import org.cnnkeras.demo.engine.HostEngineFactory
import org.cnnkeras.demo.image.DecodedImage
import org.cnnkeras.demo.image.ImageException
import org.cnnkeras.demo.image.Point
import org.cnnkeras.demo.image.StrokeDrawing
import org.cnnkeras.demo.model.ModelReader
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Classifies drawings with LeNet-5 in LiteRT. */
class ClassifierTest {
    private val facts = Fixtures.models.first { it.name.startsWith("lenet5_mnist") }
    private val model = ModelReader.read(Fixtures.model(facts), facts.file)
    private val classifier = Classifier(model, HostEngineFactory().open(model.bytes, 1))

    @After
    fun close() = classifier.close()

    @Test
    fun everyDrawnDigitIsRecognized() {
        for (file in Fixtures.models.filter { it.name.startsWith("lenet5_") }) {
            val model = ModelReader.read(Fixtures.model(file), file.file)
            Classifier(model, HostEngineFactory().open(model.bytes, 1)).use { each ->
                for ((digit, strokes) in DIGITS) {
                    val result = each.classify { decoded(StrokeDrawing(strokes)) }
                    assertEquals("$digit by ${file.name}", digit, result.top[0].label)
                    assertEquals(result.top[0].probability, result.probabilities[digit.toInt()], 0f)
                }
            }
        }
    }

    @Test
    fun sevenNeedsNoBar() {
        val (seven, _) = DIGITS.getValue("7")
        val result = classifier.classify { decoded(StrokeDrawing(listOf(seven))) }
        assertEquals("7", result.top[0].label)
    }

    @Test
    fun topFiveAreInDescendingOrder() {
        val top = classifier.classify { decoded(StrokeDrawing(listOf(listOf(Point(0f, 0f))))) }.top
        assertEquals(5, top.size)
        assertEquals(top.sortedByDescending { it.probability }, top)
    }

    @Test
    fun everyStageIsTimed() {
        val times = classifier.classify {
            Thread.sleep(20)
            decoded(StrokeDrawing(emptyList()))
        }.times
        assertTrue(times.decode >= 20_000_000)
        val stages = listOf(
            times.resize, times.normalize, times.quantizeAndCopyIn, times.invoke, times.copyOut,
            times.topK,
        )
        assertTrue(stages.all { it > 0 })
        assertEquals(times.decode + stages.sum(), times.total)
    }

    @Test
    fun classifierWorksAfterADecodingError() {
        assertThrows(ImageException::class.java) {
            classifier.classify { throw ImageException("Not an image.") }
        }
        val result = classifier.classify { decoded(StrokeDrawing(emptyList())) }
        assertEquals(10, result.probabilities.size)
    }

    private fun decoded(drawing: StrokeDrawing) = DecodedImage(
        drawing.render(model.preprocessing.width, model.preprocessing.height, model.drawingStyle),
    )

    private companion object {
        val DIGITS = mapOf(
            "0" to listOf(arc(200, 300, 140, 240, 0.0, 2.0)),
            "1" to listOf(line(120, 220, 220, 100, 220, 600)),
            "2" to listOf(arc(220, 220, 140, 120, -1.0, 0.2) + line(90, 600, 400, 600)),
            "3" to listOf(
                arc(200, 200, 130, 100, -0.8, 0.5) + arc(200, 430, 150, 130, -0.5, 0.8),
            ),
            "4" to listOf(line(220, 80, 80, 360, 400, 360), line(300, 240, 300, 600)),
            "5" to listOf(
                line(380, 100, 150, 100, 140, 300) + arc(220, 430, 150, 140, -0.6, 0.8),
            ),
            "6" to listOf(line(330, 80, 150, 350) + arc(230, 450, 120, 130, -1.0, 1.0)),
            "7" to listOf(line(100, 100, 420, 100, 220, 600), line(150, 340, 400, 340)),
            "8" to listOf(
                arc(200, 200, 100, 100, 0.5, 2.5) + arc(200, 430, 130, 130, -0.5, 1.5),
            ),
            "9" to listOf(arc(220, 230, 130, 120, 0.0, 2.0) + line(345, 260, 300, 600)),
        )

        fun line(vararg coordinates: Int): List<Point> =
            coordinates.toList().chunked(2) { (x, y) -> Point(x.toFloat(), y.toFloat()) }

        /** An elliptic arc; angles in multiples of π, clockwise from the right. */
        fun arc(x: Int, y: Int, width: Int, height: Int, from: Double, to: Double): List<Point> =
            List(24) {
                val angle = PI * (from + (to - from) * it / 23)
                Point((x + width * cos(angle)).toFloat(), (y + height * sin(angle)).toFloat())
            }
    }
}
