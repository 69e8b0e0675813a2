package org.cnnkeras.demo.model

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.security.MessageDigest
import org.cnnkeras.demo.model.tflite.GraphReader
import org.cnnkeras.demo.model.tflite.Metadata
import org.cnnkeras.demo.model.tflite.Node
import org.cnnkeras.demo.model.tflite.Schema
import org.cnnkeras.demo.model.tflite.Table
import org.cnnkeras.demo.model.tflite.Tensor

/** Reads a `.tflite` file and checks it, so that native code can run it safely. */
object ModelReader {
    /** Larger than VGG-19 in float32, the largest network of cnn-keras, which has 575 MB. */
    const val MAX_BYTES = 600_000_000

    /**
     * Reads a file.
     *
     * @param bytes the whole file, from position to limit; not copied if it is the whole content of
     *     a direct buffer
     * @param fileName name of the file, for messages
     * @throws ModelException if the file is damaged or is not a classifier that the app can run
     */
    fun read(bytes: ByteBuffer, fileName: String): ModelFile {
        val label = printable(fileName)
        try {
            return model(whole(bytes), label)
        } catch (refusal: Refusal) {
            throw ModelException("'$label' ${refusal.predicate}")
        }
    }

    private fun whole(bytes: ByteBuffer): ByteBuffer {
        val size = bytes.remaining()
        if (size > MAX_BYTES) {
            refuse("has ${size / 1_000_000} MB; the app opens up to ${MAX_BYTES / 1_000_000} MB.")
        }
        val whole = if (bytes.isDirect && size == bytes.capacity()) {
            bytes.duplicate()
        } else {
            ByteBuffer.allocateDirect(size).also { it.put(bytes.duplicate()).rewind() }
        }
        return whole.order(ByteOrder.nativeOrder())
    }

    private fun model(bytes: ByteBuffer, label: String): ModelFile {
        val file = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN)
        checkIdentifier(file)
        val root = Table.root(file)
        root.verify(Schema.Model.LAYOUT)
        val reader = GraphReader(root)
        val input = imageInput(reader.input)
        val output = scoreOutput(reader.output)
        val nodes = reader.nodes()
        val metadata = Metadata.read(root, file)
        val labels = metadata?.labels?.takeIf { it.size == output.elements }
        val (preprocessing, isStated) = preprocessing(metadata, input)
        return ModelFile(
            fileName = label,
            name = metadata?.name?.ifEmpty { null } ?: label.removeSuffix(".tflite"),
            description = metadata?.description ?: "",
            input = input,
            output = output,
            labels = labels ?: List(output.elements) { it.toString() },
            hasLabels = labels != null,
            preprocessing = preprocessing,
            hasPreprocessing = isStated,
            weightType = weightType(reader.tensors, nodes, reader.input),
            sha256 = sha256(bytes),
            bytes = bytes,
            drawingStyle = metadata?.drawingStyle,
        )
    }

    private fun checkIdentifier(file: ByteBuffer) {
        if (!file.hasRemaining()) refuse("is empty; copy or export it again.")
        val identifier = Schema.Model.IDENTIFIER.toByteArray()
        val found = ByteArray(identifier.size) { index ->
            (index + Int.SIZE_BYTES).let { if (it < file.limit()) file[it] else 0 }
        }
        if (!found.contentEquals(identifier)) {
            refuse("is not a TFLite file; a .tflite file has 'TFL3' in bytes 4 to 7.")
        }
    }

    private fun imageInput(tensor: Tensor): TensorSpec {
        checkStatic(tensor, "input")
        val shape = tensor.shape
        if (shape.size != 4 || shape[0] != 1) {
            refuse(
                "takes ${sizes(shape)}; " +
                    "the app expects one image, 1 × height × width × channels.",
            )
        }
        if (shape[3] != 1 && shape[3] != 3) {
            refuse("takes images of ${shape[3]} channels; the app supports gray (1) and RGB (3).")
        }
        return spec(tensor, "takes")
    }

    private fun scoreOutput(tensor: Tensor): TensorSpec {
        checkStatic(tensor, "output")
        if (tensor.shape.size != 2 || tensor.shape[0] != 1) {
            refuse(
                "returns ${sizes(tensor.shape)}; " +
                    "the app expects one row of scores, 1 × classes.",
            )
        }
        return spec(tensor, "returns")
    }

    private fun checkStatic(tensor: Tensor, role: String) {
        if (-1 in tensor.signature) {
            val shape = sizes(tensor.signature).replace("-1", "?")
            refuse("has an $role of dynamic shape $shape; export it with a static batch of 1.")
        }
    }

    private fun spec(tensor: Tensor, verb: String): TensorSpec {
        val type = TensorType.entries.firstOrNull { it.title == tensor.type.title }
            ?: refuse("$verb ${tensor.type.title}; the app supports float32, uint8 and int8.")
        if (type == TensorType.FLOAT32 || tensor.scales.isEmpty()) {
            return TensorSpec(tensor.name, type, tensor.shape)
        }
        requireIntact(tensor.scales.size == 1) { "an input or output has a scale for each channel" }
        val zeroPoint = tensor.zeroPoints.single().toInt()
        return TensorSpec(tensor.name, type, tensor.shape, tensor.scales.single(), zeroPoint)
    }

    private fun sizes(shape: List<Int>): String =
        if (shape.isEmpty()) "a single number" else shape.joinToString(" × ")

    /** Returns the preprocessing, and whether the file states it. */
    private fun preprocessing(
        metadata: Metadata?,
        input: TensorSpec,
    ): Pair<Preprocessing, Boolean> {
        val (_, height, width, channels) = input.shape
        val (mean, std) = normalization(metadata, input)
        requireIntact(mean.size == channels && std.size == channels) {
            "its normalization has another number of channels"
        }
        requireIntact(mean.all { it.isFinite() } && std.all { it.isFinite() && it != 0f }) {
            "its normalization is not valid"
        }
        val stated = metadata?.preprocessing
        if (stated != null) {
            val size = listOf(1, stated.height, stated.width, stated.channels)
            requireIntact(size == input.shape) { "its preprocessing has another size" }
        }
        val isStated = stated != null || metadata?.normalization != null
        return Preprocessing(height, width, channels, mean, std) to isStated
    }

    private fun normalization(
        metadata: Metadata?,
        input: TensorSpec,
    ): Pair<List<Float>, List<Float>> {
        val channels = input.shape[3]
        metadata?.preprocessing?.let { return it.mean to it.std }
        // MediaPipe and tflite-support copy pixels to integer inputs, without normalization.
        if (input.type != TensorType.FLOAT32) {
            val std = if (input.scale == 0f) 1f else 1 / input.scale
            val mean = input.zeroPoint + if (input.type == TensorType.INT8) 128f else 0f
            return List(channels) { mean } to List(channels) { std }
        }
        val (mean, std) = metadata?.normalization ?: ASSUMED
        return repeat(mean, channels) to repeat(std, channels)
    }

    /** Repeats a single value for all channels. */
    private fun repeat(values: List<Float>, channels: Int): List<Float> =
        if (values.size == 1) List(channels) { values.single() } else values

    /** Returns the type of most constant elements, as `Interpreter.dtypes` in Python. */
    private fun weightType(tensors: List<Tensor>, nodes: List<Node>, input: Tensor): String {
        val computed = nodes.flatMap { it.outputs }.toSet()
        val weights = tensors.filter { it !== input && it !in computed }
        return weights.groupBy({ it.type.title }, { it.elements })
            .maxByOrNull { (_, elements) -> elements.sum() }?.key ?: input.type.title
    }

    private fun sha256(bytes: ByteBuffer): String {
        val digest = MessageDigest.getInstance("SHA-256")
        digest.update(bytes.duplicate())
        return digest.digest().joinToString("") { "%02x".format(it) }
    }

    // Values from -1 to 1, as in TensorFlow's examples, for float networks without metadata.
    private val ASSUMED = listOf(127.5f) to listOf(127.5f)
}
