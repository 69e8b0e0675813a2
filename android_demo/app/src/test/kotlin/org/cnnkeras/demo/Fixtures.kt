package org.cnnkeras.demo

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.ZipInputStream
import org.cnnkeras.demo.model.Preprocessing
import org.cnnkeras.demo.model.TensorSpec
import org.cnnkeras.demo.model.TensorType
import org.json.JSONArray
import org.json.JSONObject

/** What `python -m tests.fixtures.write` wrote; `tests/fixtures/__init__.py` says what that is. */
object Fixtures {
    private val folder = File("../../tests/fixtures")
    private val assets = File("src/main/assets/models")

    /** The pictures, in the order of the arrays. */
    val images: List<File> by lazy {
        array("images.json").objects().map { File(folder, "images/${it.getString("file")}") }
    }

    /** What Python says of each model. */
    val models: List<ModelFacts> by lazy {
        json("models.json").getJSONArray("models").objects().map(::ModelFacts)
    }

    val color: Preprocessing by lazy { preprocessing(json("models.json").getJSONObject("color")) }

    fun image(name: String): ByteArray = File(folder, "images/$name").readBytes()

    fun json(name: String) = JSONObject(File(folder, name).readText())

    fun array(name: String) = JSONArray(File(folder, name).readText())

    /** A model's file, direct and in native order. */
    fun model(facts: ModelFacts): ByteBuffer {
        val parent = if (facts.folder == "integers") File(folder, "integers") else assets
        val bytes = File(parent, facts.file).readBytes()
        val buffer = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder())
        buffer.put(bytes)
        buffer.rewind()
        return buffer
    }

    /** What Python makes of the pictures: `pixels`, `tensor`, `output`, `probabilities`. */
    fun expected(name: String): Map<String, NumpyArray> {
        val arrays = mutableMapOf<String, NumpyArray>()
        ZipInputStream(File(folder, "expected/$name.npz").inputStream()).use { zip ->
            generateSequence { zip.nextEntry }.forEach { entry ->
                arrays[entry.name.removeSuffix(".npy")] = NumpyArray.parse(zip.readBytes())
            }
        }
        return arrays
    }

    fun preprocessing(json: JSONObject) = Preprocessing(
        json.getInt("height"),
        json.getInt("width"),
        json.getInt("channels"),
        json.getJSONArray("mean").doubles().map { it.toFloat() },
        json.getJSONArray("std").doubles().map { it.toFloat() },
    )
}

/** What stands in a model's file, as Python reads it. */
class ModelFacts(json: JSONObject) {
    val file: String = json.getString("file")
    val folder: String = json.getString("folder")
    val name: String = file.removeSuffix(".tflite")
    val labels: List<String> = json.getJSONArray("labels").strings()
    val preprocessing = Fixtures.preprocessing(json.getJSONObject("preprocessing"))
    val input: TensorSpec = spec(json.getJSONObject("input"))
    val output: TensorSpec = spec(json.getJSONObject("output"))

    private fun spec(json: JSONObject) = TensorSpec(
        json.getString("name"),
        TensorType.entries.single { it.title == json.getString("dtype") },
        json.getJSONArray("shape").doubles().map { it.toInt() },
        json.getDouble("scale").toFloat(),
        json.getInt("zero_point"),
    )
}

/**
 * A numpy array; its first axis counts the pictures.
 *
 * Reference: numpy, `numpy/lib/_format_impl.py`, version 1.0.
 */
class NumpyArray(val shape: List<Int>, private val type: String, private val data: ByteBuffer) {
    private val size = shape.drop(1).fold(1) { product, length -> product * length }

    /** The numbers of one picture, whatever their type. */
    fun floats(index: Int): FloatArray = FloatArray(size) { at ->
        val place = index * size + at
        when (type) {
            "<f4" -> data.getFloat(4 * place)
            "|u1" -> (data.get(place).toInt() and 0xFF).toFloat()
            "|i1" -> data.get(place).toFloat()
            else -> error("No reader for $type")
        }
    }

    companion object {
        fun parse(bytes: ByteArray): NumpyArray {
            val buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN)
            val length = buffer.getShort(8).toInt()
            val header = String(bytes, 10, length, Charsets.US_ASCII)
            val type = Regex("'descr': '([^']+)'").find(header)!!.groupValues[1]
            val shape = Regex("'shape': \\(([^)]*)\\)").find(header)!!.groupValues[1]
            buffer.position(10 + length)
            return NumpyArray(
                shape.split(',').filter(String::isNotBlank).map { it.trim().toInt() },
                type,
                buffer.slice().order(ByteOrder.LITTLE_ENDIAN),
            )
        }
    }
}

fun JSONArray.objects(): List<JSONObject> = List(length(), ::getJSONObject)

fun JSONArray.strings(): List<String> = List(length(), ::getString)

fun JSONArray.doubles(): List<Double> = List(length(), ::getDouble)

fun JSONArray.floats(): FloatArray = FloatArray(length()) { getDouble(it).toFloat() }
