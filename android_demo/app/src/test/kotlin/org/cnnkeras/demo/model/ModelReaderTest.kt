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
    fun everyRecipeOfTheExporterIsTaken() {
        val recipes = listOf(
            "float32", "float16", "dynamic_wi8_afp32", "weight_only_wi8_afp32", "static_wi8_ai8",
        )
        assertTrue(names.containsAll(recipes))
        for (name in recipes) assertTrue(name, ModelFixtures.read(name).preprocessingStated)
    }

    @Test
    fun tensorsArePythons() {
        for (name in names) {
            val model = ModelFixtures.read(name)
            assertEquals(name, spec(name, "input"), model.input)
            assertEquals(name, spec(name, "output"), model.output)
        }
    }

    @Test
    fun namesAndLabelsArePythons() {
        for (name in names - "few_labels") {
            val metadata = ModelFixtures.expected.getObject(name).getObject("metadata") ?: continue
            val model = ModelFixtures.read(name)
            assertEquals(name, metadata.getString("name"), model.name)
            assertEquals(name, metadata.getString("description"), model.description)
            assertEquals(name, metadata.getArray("labels").toList(), model.labels)
            assertTrue(name, model.labelsStated)
        }
    }

    @Test
    fun labelsAreThoseOfAndroidsMetadataLibrary() {
        for (name in listOf("float32", "drawing")) { // it does not decompress, so not "mediapipe"
            val extractor = MetadataExtractor(ByteBuffer.wrap(ModelFixtures.bytes(name)))
            val labels = extractor.getAssociatedFile("labels.txt").reader().readLines()
            assertEquals(name, labels, ModelFixtures.read(name).labels)
            assertEquals(name, extractor.modelMetadata.name(), ModelFixtures.read(name).name)
        }
    }

    @Test
    fun preprocessingIsPythons() {
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
    fun theWeightsTypeIsPythons() {
        for (name in names) {
            val expected = ModelFixtures.expected.getObject(name).getString("weights")
            assertEquals(name, expected, ModelFixtures.read(name).weightType)
        }
    }

    @Test
    fun normalizationOfOtherWritersCounts() {
        val model = ModelFixtures.read("mediapipe")
        assertTrue(model.preprocessingStated)
        assertEquals(ModelFixtures.read("float32").preprocessing, model.preprocessing)
    }

    @Test
    fun anAssumedNormalizationIsNotStated() {
        val model = ModelFixtures.read("no_metadata")
        assertFalse(model.preprocessingStated)
        val halves = List(3) { 127.5f }
        assertEquals(Preprocessing(12, 10, 3, halves, halves), model.preprocessing)
    }

    @Test
    fun pixelsPassIntoIntegersUnlessItIsStated() {
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
    fun classesWithoutLabelsAreNumbered() {
        val model = ModelFixtures.read("no_metadata")
        assertFalse(model.labelsStated)
        assertEquals(listOf("0", "1", "2", "3", "4"), model.labels)
        assertEquals("no_metadata", model.name)
    }

    @Test
    fun tooFewLabelsAreNone() {
        val model = ModelFixtures.read("few_labels")
        assertFalse(model.labelsStated)
        assertEquals(5, model.labels.size)
    }

    @Test
    fun drawingsSayHowTheyFillTheirFrame() {
        assertEquals(Drawing(0.97f, 0.14f), ModelFixtures.read("drawing").drawing)
        assertNull(ModelFixtures.read("float32").drawing)
    }

    @Test
    fun onlyADirectBufferIsKept() {
        val bytes = ModelFixtures.bytes("float32")
        val direct = ByteBuffer.allocateDirect(bytes.size).also { it.put(bytes).rewind() }
        val model = ModelReader.read(direct, "x.tflite")
        direct.put(0, 42)
        assertEquals(42.toByte(), model.bytes[0])
        assertTrue(ModelFixtures.read("float32").bytes.isDirect)
        assertEquals(bytes.size, model.sizeBytes)
    }

    @Test
    fun theHashIsTheWholeFiles() {
        val bytes = ModelFixtures.bytes("float32")
        val digest = MessageDigest.getInstance("SHA-256").digest(bytes)
        val expected = digest.joinToString("") { "%02x".format(it) }
        assertEquals(expected, ModelFixtures.read("float32").sha256)
    }

    @Test
    fun oneSentenceSaysWhatIsWrongAndWhatToDo() {
        val sentences = REFUSED.mapValues { (name, _) -> refusal(name) }
        assertEquals(REFUSED.mapValues { (name, why) -> "'$name.tflite' $why" }, sentences)
    }

    @Test
    fun filesThatEndEarlyAreRefused() {
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
    fun theNameInTheSentenceIsOneLine() {
        val error = assertThrows(ModelException::class.java) {
            ModelReader.read(ByteBuffer.allocate(0), "a\nb" + "c".repeat(200))
        }
        assertFalse('\n' in error.message!!)
        assertTrue(error.message!!.length < 150)
    }

    @Test
    fun theAppsOwnModelsAreTaken() {
        val files = File("src/main/assets/models").listFiles { file -> file.extension == "tflite" }
        for (file in files!!) {
            val model = ModelReader.read(ByteBuffer.wrap(file.readBytes()), file.name)
            assertTrue(file.name, model.labelsStated && model.preprocessingStated)
        }
    }

    private fun refusal(name: String): String =
        assertThrows(name, ModelException::class.java) { ModelFixtures.read(name) }.message!!

    private fun spec(name: String, end: String): TensorSpec {
        val json: JsonObject = ModelFixtures.expected.getObject(name).getObject(end)
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
                "the app gives one image, 1 × height × width × channels.",
            "five_channels" to "takes images of 5 channels; the app has gray (1) and RGB (3).",
            "output_rank_4" to "gives 1 × 10 × 8 × 5; " +
                "the app shows one row of scores, 1 × classes.",
            "dynamic_batch" to "has an input of dynamic shape ? × 12 × 10 × 3; " +
                "export it with a static batch of 1.",
            "flex" to "needs the operation 'FlexTan', which TFLite lacks; " +
                "export the model from built-in operations only.",
            "custom" to "needs the operation 'MyOp', which TFLite lacks; " +
                "export the model from built-in operations only.",
            "while" to "needs the operation WHILE; the app runs those of image classifiers.",
            "float16_input" to "takes float16; the app knows float32, uint8 and int8.",
            "complex_input" to "holds numbers of type complex64; " +
                "use those of image classifiers.",
            "external_weights" to "keeps its weights outside of the file; " +
                "export it as one file of less than 2 GB.",
            "no_stride" to "is damaged (CONV_2D has an impossible option); " +
                "copy or export it again.",
            "no_bias" to "is damaged (DEPTHWISE_CONV_2D has not its number of tensors); " +
                "copy or export it again.",
            "no_scale" to "is damaged (PAD lacks a scale); copy or export it again.",
            "no_signature_name" to "is damaged (a signature names other tensors than the graph); " +
                "copy or export it again.",
            "truncated" to "is damaged (an offset points outside); copy or export it again.",
            "cut_labels" to "is damaged (its labels are missing); copy or export it again.",
        )
    }
}
