package org.cnnkeras.demo.model

import com.grack.nanojson.JsonObject
import java.io.File
import java.nio.ByteBuffer
import java.security.MessageDigest
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.tensorflow.lite.support.metadata.MetadataExtractor

class ModelReaderTest {
    private val names = ModelFixtures.expected.keys

    @Test
    fun everyExportRecipeIsRead() {
        val recipes = listOf(
            "float32", "float16", "dynamic_wi8_afp32", "weight_only_wi8_afp32", "static_wi8_ai8",
        )
        assertTrue(names.containsAll(recipes))
        for (name in recipes) assertTrue(name, ModelFixtures.read(name).hasPreprocessing)
    }

    @Test
    fun tensorSpecsEqualPython() {
        for (name in names) {
            val model = ModelFixtures.read(name)
            assertEquals(name, spec(name, "input"), model.input)
            assertEquals(name, spec(name, "output"), model.output)
        }
    }

    @Test
    fun namesAndLabelsEqualPython() {
        for (name in names - "few_labels") {
            val metadata = ModelFixtures.expected.getObject(name).getObject("metadata") ?: continue
            val model = ModelFixtures.read(name)
            assertEquals(name, metadata.getString("name"), model.name)
            assertEquals(name, metadata.getString("description"), model.description)
            assertEquals(name, metadata.getArray("labels").toList(), model.labels)
            assertTrue(name, model.hasLabels)
        }
    }

    @Test
    fun labelsEqualThoseOfTheMetadataLibrary() {
        for (name in listOf("float32", "drawing")) { // the library cannot decompress "mediapipe"
            val extractor = MetadataExtractor(ByteBuffer.wrap(ModelFixtures.bytes(name)))
            val labels = extractor.getAssociatedFile("labels.txt").reader().readLines()
            assertEquals(name, labels, ModelFixtures.read(name).labels)
            assertEquals(name, extractor.modelMetadata.name(), ModelFixtures.read(name).name)
        }
    }

    @Test
    fun preprocessingEqualsPython() {
        for (name in names) {
            val json = ModelFixtures.expected.getObject(name).getObject("metadata")
                ?.getObject("preprocessing") ?: continue
            val (mean, std) = listOf("mean", "std").map { key ->
                json.getArray(key).map { (it as Number).toFloat() }
            }
            val (height, width, channels) = listOf("height", "width", "channels").map(json::getInt)
            val expected = Preprocessing(height, width, channels, mean, std)
            assertEquals(name, expected, ModelFixtures.read(name).preprocessing)
        }
    }

    @Test
    fun weightTypeEqualsPython() {
        for (name in names) {
            val expected = ModelFixtures.expected.getObject(name).getString("weights")
            assertEquals(name, expected, ModelFixtures.read(name).weightType)
        }
    }

    @Test
    fun normalizationOfOtherWritersIsRead() {
        val model = ModelFixtures.read("mediapipe")
        assertTrue(model.hasPreprocessing)
        assertEquals(ModelFixtures.read("float32").preprocessing, model.preprocessing)
    }

    @Test
    fun assumedNormalizationIsMarked() {
        val model = ModelFixtures.read("no_metadata")
        assertFalse(model.hasPreprocessing)
        val halves = List(3) { 127.5f }
        assertEquals(Preprocessing(12, 10, 3, halves, halves), model.preprocessing)
    }

    @Test
    fun integerInputsGetPixelsWithoutMetadata() {
        for ((name, lowest) in listOf("uint8" to 0, "int8" to -128)) {
            val model = ModelFixtures.read(name)
            val (mean, std) = model.preprocessing.mean[0] to model.preprocessing.std[0]
            val steps = listOf(0, 100, 255).map { pixel ->
                Math.rint(((pixel - mean) / std / model.input.scale).toDouble()).toInt() +
                    model.input.zeroPoint
            }
            assertEquals(name, listOf(lowest, 100 + lowest, 255 + lowest), steps)
        }
    }

    @Test
    fun classesWithoutLabelsHaveTheirIndex() {
        val model = ModelFixtures.read("no_metadata")
        assertFalse(model.hasLabels)
        assertEquals(listOf("0", "1", "2", "3", "4"), model.labels)
        assertEquals("no_metadata", model.name)
    }

    @Test
    fun tooFewLabelsAreIgnored() {
        val model = ModelFixtures.read("few_labels")
        assertFalse(model.hasLabels)
        assertEquals(5, model.labels.size)
    }

    @Test
    fun drawingStyleIsRead() {
        assertEquals(DrawingStyle(0.97f, 0.14f), ModelFixtures.read("drawing").drawingStyle)
        assertNull(ModelFixtures.read("float32").drawingStyle)
    }

    @Test
    fun onlyADirectBufferIsNotCopied() {
        val bytes = ModelFixtures.bytes("float32")
        val direct = ByteBuffer.allocateDirect(bytes.size).also { it.put(bytes).rewind() }
        val model = ModelReader.read(direct, "x.tflite")
        direct.put(0, 42)
        assertEquals(42.toByte(), model.bytes[0])
        assertTrue(ModelFixtures.read("float32").bytes.isDirect)
        assertEquals(bytes.size, model.sizeBytes)
    }

    @Test
    fun hashIsThatOfTheWholeFile() {
        val bytes = ModelFixtures.bytes("float32")
        val digest = MessageDigest.getInstance("SHA-256").digest(bytes)
        val expected = digest.joinToString("") { "%02x".format(it) }
        assertEquals(expected, ModelFixtures.read("float32").sha256)
    }

    @Test
    fun refusalExplainsTheProblemAndTheSolution() {
        val sentences = REFUSED.mapValues { (name, _) -> refusal(name) }
        assertEquals(REFUSED.mapValues { (name, reason) -> "'$name.tflite' $reason" }, sentences)
    }

    @Test
    fun truncatedFilesAreRefused() {
        val whole = ModelFixtures.bytes("float32")
        val ends = whole.indices step 61
        for (end in ends) {
            val part = ByteBuffer.wrap(whole, 0, end)
            assertThrows("$end bytes", ModelException::class.java) {
                ModelReader.read(part, "part.tflite")
            }
        }
    }

    @Test
    fun messageIsOneLine() {
        val error = assertThrows(ModelException::class.java) {
            ModelReader.read(ByteBuffer.allocate(0), "a\nb" + "c".repeat(200))
        }
        assertFalse('\n' in error.message!!)
        assertTrue(error.message!!.length < 150)
    }

    @Test
    fun builtInModelsAreRead() {
        val files = File("src/main/assets/models").listFiles { file -> file.extension == "tflite" }
        for (file in files!!) {
            val model = ModelReader.read(ByteBuffer.wrap(file.readBytes()), file.name)
            assertTrue(file.name, model.hasLabels && model.hasPreprocessing)
        }
    }

    private fun refusal(name: String): String =
        assertThrows(name, ModelException::class.java) { ModelFixtures.read(name) }.message!!

    private fun spec(name: String, role: String): TensorSpec {
        val json: JsonObject = ModelFixtures.expected.getObject(name).getObject(role)
        return TensorSpec(
            json.getString("name"),
            TensorType.entries.single { it.title == json.getString("dtype") },
            json.getArray("shape").map { (it as Number).toInt() },
            json.getDouble("scale").toFloat(),
            json.getInt("zero_point"),
        )
    }

    private companion object {
        val REFUSED = mapOf(
            "empty" to "is empty; copy or export it again.",
            "text" to "is not a TFLite file; a .tflite file has 'TFL3' in bytes 4 to 7.",
            "two_inputs" to "has 2 inputs; the app classifies one image at a time.",
            "two_outputs" to "has 2 outputs; the app shows one row of class scores.",
            "rank_3" to "takes 1 × 12 × 10; " +
                "the app expects one image, 1 × height × width × channels.",
            "five_channels" to "takes images of 5 channels; the app supports gray (1) and RGB (3).",
            "output_rank_4" to "returns 1 × 10 × 8 × 5; " +
                "the app expects one row of scores, 1 × classes.",
            "dynamic_batch" to "has an input of dynamic shape ? × 12 × 10 × 3; " +
                "export it with a static batch of 1.",
            "flex" to "needs the operation 'FlexTan', which TFLite lacks; " +
                "export it with built-in operations only.",
            "custom" to "needs the operation 'MyOp', which TFLite lacks; " +
                "export it with built-in operations only.",
            "while" to "needs the operation WHILE; " +
                "the app supports the operations of image classifiers.",
            "float16_input" to "takes float16; the app supports float32, uint8 and int8.",
            "complex_input" to "has a tensor of type complex64; " +
                "the app does not support this type.",
            "external_weights" to "stores its weights outside the file; " +
                "export it as one file of less than 2 GB.",
            "no_stride" to "is damaged (CONV_2D has an invalid option); " +
                "copy or export it again.",
            "no_bias" to "is damaged (DEPTHWISE_CONV_2D has a wrong number of tensors); " +
                "copy or export it again.",
            "no_scale" to "is damaged (PAD lacks a scale); copy or export it again.",
            "no_signature_name" to
                "is damaged (a signature and the graph have different tensors); " +
                "copy or export it again.",
            "truncated" to "is damaged (an offset is out of range); copy or export it again.",
            "cut_labels" to "is damaged (its labels are missing); copy or export it again.",
        )
    }
}
