package org.cnnkeras.demo

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.math.max
import org.cnnkeras.demo.engine.HostEngineFactory
import org.cnnkeras.demo.image.Pixels
import org.cnnkeras.demo.image.TensorCodec
import org.cnnkeras.demo.image.adaptGrayLevels
import org.cnnkeras.demo.image.cropAndResize
import org.cnnkeras.demo.image.looksInverted
import org.cnnkeras.demo.image.normalize
import org.cnnkeras.demo.image.trainingBackground
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.ModelReader
import org.cnnkeras.demo.model.Preprocessing
import org.cnnkeras.demo.model.Score
import org.cnnkeras.demo.model.TensorType
import org.cnnkeras.demo.model.topK
import org.cnnkeras.demo.ui.state.BitmapDecoder
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** The app and Python compute the same values, from the bytes of a file to the probabilities. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class ParityTest {
    private val decoder = BitmapDecoder()

    @Test
    fun fixturesHaveThirtyImagesAndFourModels() {
        assertTrue(Fixtures.images.size >= 30)
        assertTrue(Fixtures.models.size >= 4)
    }

    @Test
    fun modelPropertiesAreEqual() {
        for (facts in Fixtures.models) {
            val model = read(facts)
            assertEquals(facts.labels, model.labels)
            assertEquals(facts.preprocessing, model.preprocessing)
            assertEquals(facts.input, model.input)
            assertEquals(facts.output, model.output)
        }
    }

    @Test
    fun pixelsAreEqual() {
        val networks = Fixtures.models.map { it.name to it.preprocessing }
        for ((name, preprocessing) in networks + ("color" to Fixtures.color)) {
            val expected = Fixtures.expected(name).getValue("pixels")
            for ((index, file) in Fixtures.images.withIndex()) {
                val difference = difference(expected.floats(index), pixels(file, preprocessing))
                assertEquals("${file.name} for $name", levels(file), difference, 0f)
            }
        }
    }

    @Test
    fun adaptedPixelsAreEqual() {
        var numInverted = 0
        for (facts in Fixtures.models) {
            val arrays = Fixtures.expected(facts.name)
            val background = trainingBackground(facts.preprocessing)
            assertEquals(facts.name, "inverted" in arrays, background != null)
            if (background == null) continue
            val pixels = arrays.getValue("pixels")
            val (height, width, channels) = pixels.shape.drop(1)
            for (index in Fixtures.images.indices) {
                val values = pixels.floats(index)
                val bytes = ByteArray(values.size) { values[it].toInt().toByte() }
                val image = Pixels(width, height, channels, bytes)
                val name = "${Fixtures.images[index].name} for ${facts.name}"
                val isInverted = arrays.getValue("inverted").floats(index).single() == 1f
                assertEquals(name, isInverted, looksInverted(image, background))
                val adapted = adaptGrayLevels(image, facts.preprocessing).values
                val actual = FloatArray(adapted.size) { (adapted[it].toInt() and 0xFF).toFloat() }
                assertArrayEquals(name, arrays.getValue("adapted").floats(index), actual, 0f)
                if (isInverted) numInverted++
            }
        }
        assertTrue("$numInverted", numInverted >= 5)
        assertNull(trainingBackground(Fixtures.color))
    }

    @Test
    fun normalizedColorsAreEqual() {
        val expected = Fixtures.expected("color")
        for (index in Fixtures.images.indices) {
            val values = expected.getValue("pixels").floats(index)
            val bytes = ByteArray(values.size) { values[it].toInt().toByte() }
            val (height, width, channels) = expected.getValue("pixels").shape.drop(1)
            val tensor = normalize(Pixels(width, height, channels, bytes), Fixtures.color)
            assertArrayEquals(expected.getValue("tensor").floats(index), tensor, 0f)
        }
    }

    @Test
    fun inputTensorsAreEqual() {
        for (facts in Fixtures.models) {
            val model = read(facts)
            val expected = Fixtures.expected(facts.name).getValue("tensor")
            for ((index, file) in Fixtures.images.withIndex()) {
                val isFloat = facts.input.type == TensorType.FLOAT32
                val level = if (isFloat) 1 / facts.preprocessing.std.min() else 1f
                val difference = difference(expected.floats(index), tensor(model, file)) / level
                // The difference of two floats is rounded too.
                val tolerance = levels(file) * 1e-4f
                assertEquals("${file.name} for ${facts.name}", levels(file), difference, tolerance)
            }
        }
    }

    @Test
    fun topKIsEqual() {
        for (case in Fixtures.array("top_k.json").objects()) {
            val expected = case.getJSONArray("top").objects().map {
                val probability = it.getDouble("probability").toFloat()
                Score(it.getInt("index"), it.getString("label"), probability)
            }
            val labels = case.getJSONArray("labels").strings()
            val probabilities = case.getJSONArray("probabilities").floats()
            assertEquals(expected, topK(probabilities, labels, case.getInt("k")))
        }
    }

    /** Both use the same LiteRT library. */
    @Test
    fun probabilitiesAreEqual() {
        for (facts in Fixtures.models) {
            val expected = Fixtures.expected(facts.name).getValue("probabilities")
            val tolerance = max(1e-4f, facts.output.scale)
            Classifier(read(facts), HostEngineFactory().open(Fixtures.model(facts), 1)).use { app ->
                for ((index, file) in Fixtures.images.withIndex()) {
                    val message = "${file.name} by ${facts.name}"
                    val python = expected.floats(index)
                    val actual = app.classify { decoder.decode(file.readBytes()) }
                    assertEquals(message, python.indices.maxBy { python[it] }, actual.top[0].index)
                    if (levels(file) > 0) continue
                    assertArrayEquals(message, python, actual.probabilities, tolerance)
                }
            }
        }
    }

    /**
     * Returns the tolerance of a pixel. Of 16-bit values Android keeps the upper byte, and Python
     * rounds to the nearest of 255 levels, so that the image is half a level darker in the app.
     */
    private fun levels(file: File): Float = if (file.name == "china_16_bits.png") 1f else 0f

    private fun read(facts: ModelFacts): ModelFile =
        ModelReader.read(Fixtures.model(facts), facts.file)

    private fun pixels(file: File, preprocessing: Preprocessing): FloatArray {
        val values = resized(file, preprocessing).values
        return FloatArray(values.size) { (values[it].toInt() and 0xFF).toFloat() }
    }

    private fun resized(file: File, preprocessing: Preprocessing): Pixels {
        val decoded = decoder.decode(file.readBytes())
        return cropAndResize(decoded.image, decoded.orientation, preprocessing)
    }

    /** Returns the input tensor; integers are not dequantized. */
    private fun tensor(model: ModelFile, file: File): FloatArray {
        val buffer = ByteBuffer.allocateDirect(model.input.bytes).order(ByteOrder.nativeOrder())
        val pixels = resized(file, model.preprocessing)
        TensorCodec(model.input).write(normalize(pixels, model.preprocessing), buffer)
        return TensorCodec(model.input.copy(scale = 0f, zeroPoint = 0)).read(buffer)
    }

    private fun difference(expected: FloatArray, actual: FloatArray): Float {
        assertEquals(expected.size, actual.size)
        return expected.indices.maxOf { abs(expected[it] - actual[it]) }
    }
}
