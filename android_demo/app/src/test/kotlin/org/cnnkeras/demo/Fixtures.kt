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

/** The files in `tests/fixtures` that `python -m tests.fixtures.android.write_expected` writes. */
object Fixtures {
    private val folder = File("../../tests/fixtures")
    private val assets = File("src/main/assets/models")

    /** The images, in the order of the arrays. */
    val images: List<File> by lazy {
        array("images.json").objects().map { File(folder, "images/${it.getString("file")}") }
    }

    /** The properties of each model, as Python reads them. */
    val models: List<ModelFacts> by lazy {
        json("models.json").getJSONArray("models").objects().map(::ModelFacts)
    }

    val color: Preprocessing by lazy { preprocessing(json("models.json").getJSONObject("color")) }

    fun image(name: String): ByteArray = File(folder, "images/$name").readBytes()

    fun json(name: String) = JSONObject(File(folder, name).readText())

    fun array(name: String) = JSONArray(File(folder, name).readText())

    /** Returns a model file in a direct buffer in native order. */
    fun model(facts: ModelFacts): ByteBuffer {
        val parent = if (facts.folder == "integers") File(folder, "integers") else assets
        val bytes = File(parent, facts.file).readBytes()
        val buffer = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder())
        buffer.put(bytes)
        buffer.rewind()
        return buffer
    }

    /** Returns the results of Python: `pixels`, `tensor`, `output` and `probabilities`. */
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

/** The properties of a model, as Python reads them. */
class ModelFacts(json: JSONObject) {
    val file: String = json.getString("file")
    val folder: String = json.getString("folder")
    val name: String = file.removeSuffix(".tflite")
    val labels: List<String> = json.getJSONArray("labels").strings()
    val preprocessing = Fixtures.preprocessing(json.getJSONObject("preprocessing"))
    val input: TensorSpec = spec(json.getJSONObject("input"))
    val output: TensorSpec = spec(json.getJSONObject("output"))

    companion object {
        fun spec(json: JSONObject) = TensorSpec(
            json.getString("name"),
            TensorType.entries.single { it.title == json.getString("dtype") },
            json.getJSONArray("shape").doubles().map { it.toInt() },
            json.getDouble("scale").toFloat(),
            json.getInt("zero_point"),
        )
    }
}

/**
 * A NumPy array; its first axis is the image.
 *
 * Reference: NumPy, `numpy/lib/_format_impl.py`, version 1.0.
 */
class NumpyArray(val shape: List<Int>, private val type: String, private val data: ByteBuffer) {
    private val size = shape.drop(1).fold(1) { product, length -> product * length }

    /** Returns the values of one image as floats. */
    fun floats(index: Int): FloatArray = FloatArray(size) { at ->
        val position = index * size + at
        when (type) {
            "<f4" -> data.getFloat(4 * position)
            "|u1" -> (data.get(position).toInt() and 0xFF).toFloat()
            "|i1" -> data.get(position).toFloat()
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
