package org.cnnkeras.demo.model.tflite

import java.nio.ByteBuffer
import org.cnnkeras.demo.model.Refusal
import org.cnnkeras.demo.model.damaged
import org.cnnkeras.demo.model.printable
import org.cnnkeras.demo.model.refuse
import org.cnnkeras.demo.model.requireIntact

/**
 * A tensor as the file describes it.
 *
 * @property signature the shape, with -1 for a dimension that is known only at run time
 * @property constant the values of a constant; null if an operation computes the tensor
 * @property scales real units per integer step: none, one, or one per channel
 */
internal class Tensor(
    val name: String,
    val type: Schema.Type,
    val shape: List<Int>,
    val signature: List<Int>,
    val constant: ByteBuffer?,
    val scales: FloatArray,
    val zeroPoints: LongArray,
) {
    val rank: Int get() = shape.size
    val elements: Long = shape.fold(1L) { product, size -> product * size }
    val bytes: Long = bytesOf(elements, type)

    /** Returns the values of an integer constant, such as a shape; null if it is not constant. */
    fun integers(): LongArray? {
        val values = constant ?: return null
        return when (type) {
            Schema.Type.INT32 -> LongArray(elements.toInt()) { values.getInt(it * 4).toLong() }
            Schema.Type.INT64 -> LongArray(elements.toInt()) { values.getLong(it * 8) }
            else -> damaged("a size is not an integer")
        }
    }

    companion object {
        /** Returns the size in bytes; a byte holds two four-bit numbers. */
        fun bytesOf(elements: Long, type: Schema.Type): Long = (elements * type.bits + 7) / 8
    }
}

/**
 * An operation of the graph with its tensors.
 *
 * @property inputs null for an optional input that is omitted
 */
internal class Node(
    val operation: Operation,
    val options: Table?,
    val inputs: List<Tensor?>,
    val outputs: List<Tensor>,
)

/**
 * Reads the graph and checks everything that native code relies on: all indices and sizes, the
 * order of the operations, their options, and the shapes of their outputs.
 *
 * @throws Refusal from the constructor and from [nodes], if the app cannot run the graph
 */
internal class GraphReader(private val model: Table) {
    private val buffers = model.tables(Schema.Model.BUFFERS)
    private val operations = model.tables(Schema.Model.OPERATOR_CODES)
    private val graph: Table

    /** All tensors, in the order of the file. */
    val tensors: List<Tensor>

    /** The input of the graph. */
    val input: Tensor

    /** The output of the graph. */
    val output: Tensor

    init {
        val version = model.int(Schema.Model.VERSION)
        if (version != Schema.Model.CURRENT_VERSION) {
            refuse("has version $version of the TFLite schema; the app reads version 3.")
        }
        val graphs = model.tables(Schema.Model.SUBGRAPHS)
        requireIntact(graphs.isNotEmpty()) { "it has no graph" }
        if (graphs.size > 1) {
            refuse("has ${graphs.size} graphs; the app runs models with a single graph.")
        }
        checkBuffers()
        graph = graphs.single()
        tensors = graph.tables(Schema.SubGraph.TENSORS).map(::tensor)
        checkSize()
        val inputs = tensorIndices(Schema.SubGraph.INPUTS)
        val outputs = tensorIndices(Schema.SubGraph.OUTPUTS)
        if (inputs.size != 1) {
            refuse("has ${inputs.size} inputs; the app classifies one image at a time.")
        }
        if (outputs.size != 1) {
            refuse("has ${outputs.size} outputs; the app shows one row of class scores.")
        }
        checkSignatures(inputs.single(), outputs.single())
        input = tensors[inputs.single()]
        output = tensors[outputs.single()]
    }

    /** Returns the operations in the order of execution. */
    fun nodes(): List<Node> {
        requireIntact(input.constant == null) { "the input is a constant" }
        val ready = tensors.filterTo(HashSet()) { it.constant != null || it === input }
        val nodes = graph.tables(Schema.SubGraph.OPERATORS).map { node(it, ready) }
        requireIntact(input !== output && output in ready) { "no operation computes its output" }
        return nodes
    }

    private fun checkBuffers() {
        if (model.tables(Schema.Model.EXTERNAL_BUFFERS).isNotEmpty()) refuse(WEIGHTS_OUTSIDE)
        for (buffer in buffers) {
            if (buffer.long(Schema.Buffer.OFFSET) != 0L || buffer.long(Schema.Buffer.SIZE) != 0L) {
                refuse(WEIGHTS_OUTSIDE)
            }
        }
        for (index in model.ints(Schema.Model.METADATA_BUFFER) ?: IntArray(0)) {
            requireIntact(index in buffers.indices) { "a buffer is missing" }
        }
    }

    private fun tensor(table: Table): Tensor {
        val name = table.text(Schema.Tensor.NAME) ?: ""
        val type = type(table.byte(Schema.Tensor.TYPE))
        val shape = table.ints(Schema.Tensor.SHAPE)?.toList() ?: emptyList()
        val signature = table.ints(Schema.Tensor.SHAPE_SIGNATURE)?.toList() ?: emptyList()
        requireIntact(shape.size <= MAX_RANK && shape.all { it >= 1 }) { "a shape is not valid" }
        requireIntact(signature.isEmpty() || signature.size == shape.size) {
            "a shape is not valid"
        }
        if (table.has(Schema.Tensor.SPARSITY)) {
            refuse("stores sparse weights; export it with dense weights.")
        }
        if (table.byte(Schema.Tensor.IS_VARIABLE) != 0) {
            refuse("keeps state between images; the app runs models without state.")
        }
        if (table.int(Schema.Tensor.EXTERNAL_BUFFER) != 0) refuse(WEIGHTS_OUTSIDE)
        val constant = constant(table.int(Schema.Tensor.BUFFER), shape, type)
        val quantization = table.table(Schema.Tensor.QUANTIZATION)
        val scales = quantization?.floats(Schema.Quantization.SCALE) ?: FloatArray(0)
        val zeroPoints = quantization?.longs(Schema.Quantization.ZERO_POINT) ?: LongArray(0)
        val tensor = Tensor(name, type, shape, signature, constant, scales, zeroPoints)
        if (quantization != null) checkQuantization(quantization, tensor)
        return tensor
    }

    private fun type(code: Int): Schema.Type {
        requireIntact(code in Schema.Type.entries.indices) { "a data type is unknown" }
        val type = Schema.Type.entries[code]
        if (type == Schema.Type.RESOURCE) {
            refuse("stores its weights in variables; export it from a frozen graph.")
        }
        if (type.bits == 0) {
            refuse("has a tensor of type ${type.title}; the app does not support this type.")
        }
        return type
    }

    /** Returns the values of a constant; null if the buffer is empty. */
    private fun constant(buffer: Int, shape: List<Int>, type: Schema.Type): ByteBuffer? {
        requireIntact(buffer in buffers.indices) { "a buffer is missing" }
        val elements = elements(shape)
        val values = buffers[buffer].bytes(Schema.Buffer.DATA)?.takeIf { it.hasRemaining() }
        requireIntact(
            values == null || values.remaining().toLong() == Tensor.bytesOf(elements, type),
        ) { "a tensor and its buffer differ in size" }
        return values
    }

    private fun elements(shape: List<Int>): Long {
        val elements = shape.fold(1L) { product, size -> minOf(product * size, TOO_MANY) }
        if (elements >= TOO_MANY) refuse(TOO_MUCH_MEMORY)
        return elements
    }

    private fun checkQuantization(table: Table, tensor: Tensor) {
        if (table.byte(Schema.Quantization.DETAILS_TYPE) != 0) {
            refuse("has custom quantization; export it with one scale per tensor or channel.")
        }
        val scales = tensor.scales
        if (scales.isEmpty()) return
        // Filters that training has reduced to nothing have tiny scales, which divide nothing.
        val smallest =
            if (tensor.constant == null) SMALLEST_SCALE else java.lang.Float.MIN_NORMAL
        requireIntact(scales.all { it.isFinite() && it >= smallest && it <= LARGEST_SCALE }) {
            "a scale is not valid"
        }
        val dimension = table.int(Schema.Quantization.DIMENSION)
        val perChannel = scales.size == tensor.shape.getOrNull(dimension)
        requireIntact(scales.size == 1 || perChannel) { "scales are missing" }
        requireIntact(tensor.zeroPoints.size == scales.size) { "zero points are missing" }
        val limits = tensor.type.limits ?: return
        requireIntact(tensor.zeroPoints.all { it in limits }) { "a zero point is out of range" }
    }

    private fun checkSize() {
        val computed = tensors.filter { it.constant == null }.fold(0L) { sum, tensor ->
            minOf(sum + tensor.bytes, MAX_ACTIVATION_BYTES + 1)
        }
        if (computed > MAX_ACTIVATION_BYTES) refuse(TOO_MUCH_MEMORY)
    }

    private fun tensorIndices(slot: Int): IntArray {
        val indices = graph.ints(slot) ?: IntArray(0)
        indices.forEach(::checkIndex)
        return indices
    }

    private fun checkIndex(index: Int) =
        requireIntact(index in tensors.indices) { "a tensor is missing" }

    /** Checks that each signature names the input and the output of the graph. */
    private fun checkSignatures(input: Int, output: Int) {
        for (signature in model.tables(Schema.Model.SIGNATURE_DEFS)) {
            requireIntact(
                signature.int(Schema.SignatureDef.SUBGRAPH_INDEX) == 0 &&
                    signature.has(Schema.SignatureDef.KEY),
            ) { "a signature has no graph or no name" }
            checkSignature(signature.tables(Schema.SignatureDef.INPUTS), input)
            checkSignature(signature.tables(Schema.SignatureDef.OUTPUTS), output)
        }
    }

    private fun checkSignature(entries: List<Table>, index: Int) = requireIntact(
        entries.size == 1 && entries.single().has(Schema.TensorMap.NAME) &&
            entries.single().int(Schema.TensorMap.TENSOR_INDEX) == index,
    ) { "a signature and the graph have different tensors" }

    /** Reads an operation, whose inputs must be [ready], and adds its outputs to [ready]. */
    private fun node(table: Table, ready: MutableSet<Tensor>): Node {
        val operation = operation(table.int(Schema.Operator.OPCODE_INDEX))
        val inputs = table.ints(Schema.Operator.INPUTS) ?: IntArray(0)
        val outputs = table.ints(Schema.Operator.OUTPUTS) ?: IntArray(0)
        requireIntact(inputs.size in operation.inputs && outputs.size in operation.outputs) {
            "$operation has a wrong number of tensors"
        }
        inputs.forEachIndexed { position, index ->
            if (index == -1 && position == operation.optional) return@forEachIndexed
            checkIndex(index)
            requireIntact(tensors[index] in ready) {
                "$operation has an input that is not computed yet"
            }
        }
        for (index in outputs) {
            checkIndex(index)
            requireIntact(ready.add(tensors[index])) {
                "$operation has an output that is already computed"
            }
        }
        val node = Node(
            operation,
            options(table, operation),
            inputs.map { if (it == -1) null else tensors[it] },
            outputs.map { tensors[it] },
        )
        operation.checkShapes(node)
        node.checkTypes()
        return node
    }

    private fun operation(index: Int): Operation {
        requireIntact(index in operations.indices) { "an operation is missing" }
        val table = operations[index]
        // The schema has an old field of one byte and a new one; the larger value applies.
        val deprecated = table.byte(Schema.OperatorCode.DEPRECATED_BUILTIN_CODE)
        val code = maxOf(table.int(Schema.OperatorCode.BUILTIN_CODE), deprecated)
        val custom = table.text(Schema.OperatorCode.CUSTOM_CODE)
        if (code == Operation.CUSTOM || custom != null) {
            refuse(
                "needs the operation '${printable(custom ?: "")}', which TFLite lacks; " +
                    "export it with built-in operations only.",
            )
        }
        return Operation.of(code) ?: refuse(
            "needs the operation ${Operation.nameOf(code)}; " +
                "the app supports the operations of image classifiers.",
        )
    }

    private fun options(table: Table, operation: Operation): Table? {
        val type = table.byte(Schema.Operator.OPTIONS_TYPE)
        requireIntact(
            (type == 0 || type == operation.optionsType || operation.optionsType == 0) &&
                table.byte(Schema.Operator.OPTIONS_2_TYPE) == 0 &&
                table.long(Schema.Operator.LARGE_CUSTOM_OPTIONS_OFFSET) == 0L,
        ) { "$operation has the options of another operation" }
        return if (type == 0) null else table.table(Schema.Operator.OPTIONS)
    }

    private companion object {
        const val WEIGHTS_OUTSIDE =
            "stores its weights outside the file; export it as one file of less than 2 GB."
        const val TOO_MUCH_MEMORY = "needs more memory than the app allows."

        // TFLite kernels store a shape in arrays of up to 8 elements (squeeze.cc, transpose.cc).
        const val MAX_RANK = 8

        // The activations of VGG-16 at 224 x 224, the largest here, take 110 MB.
        const val MAX_ACTIVATION_BYTES = 1L shl 30
        const val TOO_MANY = 1L shl 31

        // Kernels multiply by scales, and divide by those of activations: within these limits
        // nothing overflows a float.
        const val SMALLEST_SCALE = 1e-12f
        const val LARGEST_SCALE = 1e12f
    }
}
