package org.cnnkeras.demo

import kotlin.math.PI
import kotlin.math.cos
import kotlin.math.sin
import org.cnnkeras.demo.engine.HostEngineFactory
import org.cnnkeras.demo.image.Decoded
import org.cnnkeras.demo.image.ImageException
import org.cnnkeras.demo.image.Point
import org.cnnkeras.demo.image.Sketch
import org.cnnkeras.demo.model.ModelReader
import org.junit.After
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** LeNet-5 in LiteRT, on what a finger drew. */
class ClassifierTest {
    private val facts = Fixtures.models.first { it.name.startsWith("lenet5_digits") }
    private val model = ModelReader.read(Fixtures.model(facts), facts.file)
    private val classifier = Classifier(model, HostEngineFactory().open(model.bytes, 1))

    @After
    fun close() = classifier.close()

    /** The writers of scikit-learn's digits put a bar through their sevens. */
    @Test
    fun drawnDigitsAreWhatTheyAre() {
        for ((digit, strokes) in DIGITS) {
            val seen = classifier.classify { draw(Sketch(strokes)) }
            assertEquals(digit, seen.top[0].label)
            assertEquals(seen.top[0].probability, seen.probabilities[digit.toInt()], 0f)
        }
    }

    @Test
    fun theBestFiveComeInOrder() {
        val top = classifier.classify { draw(Sketch(listOf(listOf(Point(0f, 0f))))) }.top
        assertEquals(5, top.size)
        assertEquals(top.sortedByDescending { it.probability }, top)
    }

    @Test
    fun everyStageHasItsTime() {
        val times = classifier.classify {
            Thread.sleep(20)
            draw(Sketch(emptyList()))
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
    fun aPictureThatCannotBeDecodedLeavesItUsable() {
        assertThrows(ImageException::class.java) {
            classifier.classify { throw ImageException("No picture.") }
        }
        assertEquals(10, classifier.classify { draw(Sketch(emptyList())) }.probabilities.size)
    }

    private fun draw(sketch: Sketch) = Decoded(
        sketch.picture(model.preprocessing.width, model.preprocessing.height, model.drawing),
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

        fun line(vararg places: Int): List<Point> =
            places.toList().chunked(2) { (x, y) -> Point(x.toFloat(), y.toFloat()) }

        /** Part of an ellipse; angles in half turns, clockwise from the right. */
        fun arc(x: Int, y: Int, width: Int, height: Int, from: Double, to: Double): List<Point> =
            List(24) {
                val angle = PI * (from + (to - from) * it / 23)
                Point((x + width * cos(angle)).toFloat(), (y + height * sin(angle)).toFloat())
            }
    }
}
