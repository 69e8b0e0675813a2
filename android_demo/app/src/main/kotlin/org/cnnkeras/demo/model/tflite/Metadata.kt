package org.cnnkeras.demo.model.tflite

import com.grack.nanojson.JsonObject
import com.grack.nanojson.JsonParser
import com.grack.nanojson.JsonParserException
import java.nio.ByteBuffer
import org.cnnkeras.demo.model.DrawingStyle
import org.cnnkeras.demo.model.Preprocessing
import org.cnnkeras.demo.model.Refusal
import org.cnnkeras.demo.model.damaged
import org.cnnkeras.demo.model.oneLine
import org.cnnkeras.demo.model.requireIntact

/**
 * The metadata of a file that cnn-keras, MediaPipe or tflite-support has written.
 *
 * Reference: tflite-support, `tensorflow_lite_support/metadata/metadata_schema.fbs`, version 1.1.0.
 *
 * @property labels null if the file has none
 * @property preprocessing from `preprocessing.json`, which cnn-keras writes
 * @property normalization mean and standard deviation of each channel, in pixel values, as other
 *     writers state them
 * @property drawingStyle from `drawing.json`, which cnn-keras writes
 */
internal class Metadata(
    val name: String,
    val description: String,
    val labels: List<String>?,
    val preprocessing: Preprocessing?,
    val normalization: Pair<List<Float>, List<Float>>?,
    val drawingStyle: DrawingStyle?,
) {
    companion object {
        private const val BUFFER_NAME = "TFLITE_METADATA"

        /**
         * Reads the metadata; null if the file has none.
         *
         * @param file the whole file, in little-endian order
         * @throws Refusal if the metadata or its associated files are damaged
         */
        fun read(model: Table, file: ByteBuffer): Metadata? {
            val buffers = model.tables(Schema.Model.BUFFERS)
            val entry = model.tables(Schema.Model.METADATA)
                .firstOrNull { it.text(Schema.Metadata.NAME) == BUFFER_NAME } ?: return null
            val index = entry.int(Schema.Metadata.BUFFER)
            requireIntact(index in buffers.indices) { "its metadata is missing" }
            val bytes = buffers[index].bytes(Schema.Buffer.DATA) ?: return null
            return MetadataReader(Table.root(bytes), ZipArchive(file)).read()
        }
    }
}

private class MetadataReader(private val root: Table, private val archive: ZipArchive) {
    private val graphs = root.tables(SUBGRAPH_METADATA)

    fun read() = Metadata(
        name = oneLine(root.text(NAME) ?: ""),
        description = oneLine(root.text(DESCRIPTION) ?: ""),
        labels = labels(),
        preprocessing = json("preprocessing.json")?.let(::preprocessing),
        normalization = normalization(),
        drawingStyle = json("drawing.json")?.let(::drawingStyle),
    )

    private fun labels(): List<String>? {
        val file = graphs.flatMap { it.tables(OUTPUT_TENSOR_METADATA) }
            .flatMap { it.tables(ASSOCIATED_FILES) }
            .firstOrNull { it.byte(FILE_TYPE) == TENSOR_AXIS_LABELS } ?: return null
        val text = archive[file.text(FILE_NAME) ?: ""] ?: damaged("its labels are missing")
        val lines = utf8(ByteBuffer.wrap(text)).split(LINE_BREAK)
        return if (lines.last().isEmpty()) lines.dropLast(1) else lines
    }

    private fun normalization(): Pair<List<Float>, List<Float>>? {
        val options = graphs.flatMap { it.tables(INPUT_TENSOR_METADATA) }
            .flatMap { it.tables(PROCESS_UNITS) }
            .firstOrNull { it.byte(OPTIONS_TYPE) == NORMALIZATION }
            ?.table(OPTIONS) ?: return null
        val (mean, std) = listOf(MEAN, STD).map { options.floats(it)?.toList() ?: emptyList() }
        return if (mean.isEmpty() || std.isEmpty()) null else mean to std
    }

    private fun preprocessing(json: JsonObject): Preprocessing {
        val (height, width, channels) = listOf("height", "width", "channels").map { key ->
            json.number(key).toInt()
        }
        return Preprocessing(height, width, channels, json.floats("mean"), json.floats("std"))
    }

    private fun drawingStyle(json: JsonObject): DrawingStyle {
        val (extent, strokeWidth) =
            listOf("extent", "stroke_width").map { json.number(it).toFloat() }
        requireIntact(extent > 0 && extent <= 1 && strokeWidth > 0 && strokeWidth <= 1) {
            "drawing.json is unreadable"
        }
        return DrawingStyle(extent, strokeWidth)
    }

    private fun json(name: String): JsonObject? {
        val bytes = archive[name] ?: return null
        // The parser is recursive; this limit bounds the nesting depth.
        requireIntact(bytes.size <= MAX_JSON_BYTES) { "$name is too long" }
        return try {
            JsonParser.`object`().from(utf8(ByteBuffer.wrap(bytes)))
        } catch (_: JsonParserException) {
            damaged("$name is unreadable")
        }
    }

    private fun JsonObject.number(key: String): Double =
        (this[key] as? Number)?.toDouble() ?: damaged("'$key' is not a number")

    private fun JsonObject.floats(key: String): List<Float> {
        val values = this[key] as? List<*> ?: damaged("'$key' is not a list")
        return values.map {
            (it as? Number)?.toFloat() ?: damaged("'$key' is not a list of numbers")
        }
    }

    private companion object {
        const val MAX_JSON_BYTES = 2048

        // The line breaks of Python's `str.splitlines`.
        val LINE_BREAK = Regex("\r\n|[\n\r\u000B\u000C\u001C-\u001E\u0085\u2028\u2029]")

        // Slots of ModelMetadata.
        const val NAME = 0
        const val DESCRIPTION = 1
        const val SUBGRAPH_METADATA = 3

        // Slots of SubGraphMetadata.
        const val INPUT_TENSOR_METADATA = 2
        const val OUTPUT_TENSOR_METADATA = 3

        // Slots of TensorMetadata.
        const val PROCESS_UNITS = 4
        const val ASSOCIATED_FILES = 6

        // Slots of AssociatedFile, and one of its types.
        const val FILE_NAME = 0
        const val FILE_TYPE = 2
        const val TENSOR_AXIS_LABELS = 2

        // Slots of ProcessUnit, and NormalizationOptions among its options.
        const val OPTIONS_TYPE = 0
        const val OPTIONS = 1
        const val NORMALIZATION = 1

        // Slots of NormalizationOptions.
        const val MEAN = 0
        const val STD = 1
    }
}
