package org.cnnkeras.demo.model

import com.grack.nanojson.JsonObject
import com.grack.nanojson.JsonParser
import com.grack.nanojson.JsonParserException
import java.nio.ByteBuffer

/**
 * What a file says about itself, whoever wrote it: cnn-keras, MediaPipe or tflite-support.
 *
 * Reference: tflite-support, `tensorflow_lite_support/metadata/metadata_schema.fbs`, version 1.1.0.
 *
 * @property labels null where the file has none
 * @property preprocessing `preprocessing.json`, which cnn-keras writes
 * @property normalization subtracted from each channel and dividing it, in pixel values, as the
 *     other writers state it
 */
internal class Metadata(
    val name: String,
    val description: String,
    val labels: List<String>?,
    val preprocessing: Preprocessing?,
    val normalization: Pair<List<Float>, List<Float>>?,
    val drawing: Drawing?,
) {
    companion object {
        private const val BUFFER_NAME = "TFLITE_METADATA"

        /**
         * Reads the metadata; null if the file has none.
         *
         * @param file the whole file, in little-endian order
         * @throws Refusal if the metadata or the files that it names are damaged
         */
        fun read(model: Table, file: ByteBuffer): Metadata? {
            val buffers = model.tables(Schema.Model.BUFFERS)
            val entry = model.tables(Schema.Model.METADATA)
                .firstOrNull { it.text(Schema.Metadata.NAME) == BUFFER_NAME } ?: return null
            val index = entry.int(Schema.Metadata.BUFFER)
            requireIntact(index in buffers.indices) { "its metadata is missing" }
            val bytes = buffers[index].bytes(Schema.Buffer.DATA) ?: return null
            return MetadataReader(Table.root(bytes), Archive(file)).read()
        }
    }
}

private class MetadataReader(private val root: Table, private val archive: Archive) {
    private val graphs = root.tables(SUBGRAPH_METADATA)

    fun read() = Metadata(
        name = oneLine(root.text(NAME) ?: ""),
        description = oneLine(root.text(DESCRIPTION) ?: ""),
        labels = labels(),
        preprocessing = json("preprocessing.json")?.let(::preprocessing),
        normalization = normalization(),
        drawing = json("drawing.json")?.let(::drawing),
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

    private fun drawing(json: JsonObject): Drawing {
        val (extent, strokeWidth) =
            listOf("extent", "stroke_width").map { json.number(it).toFloat() }
        requireIntact(extent > 0 && extent <= 1 && strokeWidth > 0 && strokeWidth <= 1) {
            "drawing.json is unreadable"
        }
        return Drawing(extent, strokeWidth)
    }

    private fun json(name: String): JsonObject? {
        val bytes = archive[name] ?: return null
        // The parser calls itself for each level; so few bytes have no room for many.
        requireIntact(bytes.size <= MAX_JSON_BYTES) { "$name is too long" }
        return try {
            JsonParser.`object`().from(utf8(ByteBuffer.wrap(bytes)))
        } catch (_: JsonParserException) {
            damaged("$name is unreadable")
        }
    }

    private fun JsonObject.number(key: String): Double =
        (this[key] as? Number)?.toDouble() ?: damaged("'$key' is no number")

    private fun JsonObject.floats(key: String): List<Float> {
        val values = this[key] as? List<*> ?: damaged("'$key' is no list")
        return values.map { (it as? Number)?.toFloat() ?: damaged("'$key' is no list of numbers") }
    }

    private companion object {
        const val MAX_JSON_BYTES = 2048

        // Where Python's `str.splitlines` ends a line.
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
