package org.cnnkeras.demo.model

import java.nio.ByteBuffer

/**
 * A tensor as the file describes it.
 *
 * @property signature the shape with -1 where a size is known only when the file runs
 * @property constant its values where the file holds them; null where an operation computes them
 * @property scales real units per integer step: none, one, or one a channel
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

    /** The values of an integer constant, such as a shape; null if an operation computes them. */
    fun integers(): LongArray? {
        val values = constant ?: return null
        return when (type) {
            Schema.Type.INT32 -> LongArray(elements.toInt()) { values.getInt(it * 4).toLong() }
            Schema.Type.INT64 -> LongArray(elements.toInt()) { values.getLong(it * 8) }
            else -> damaged("a size is no integer")
        }
    }

    companion object {
        /** Four-bit numbers stand two in a byte. */
        fun bytesOf(elements: Long, type: Schema.Type): Long = (elements * type.bits + 7) / 8
    }
}

/**
 * One operation of the graph.
 *
 * @property inputs null where an optional one is left out
 */
internal class Node(
    val operation: Operation,
    val options: Table?,
    val inputs: List<Tensor?>,
    val outputs: List<Tensor>,
)

/**
 * Reads the graph and checks what native code trusts: every index and size, the order of the
 * operations, their options, and that each shape is what its operation makes of its inputs.
 *
 * @throws Refusal here and from [nodes]
 */
internal class GraphReader(private val model: Table) {
    private val buffers = model.tables(Schema.Model.BUFFERS)
    private val operations = model.tables(Schema.Model.OPERATOR_CODES)
    private val graph: Table

    /** All tensors, in the file's order. */
    val tensors: List<Tensor>

    /** The one that the user gives. */
    val input: Tensor

    /** The one that the operations compute in the end. */
    val output: Tensor

    init {
        val version = model.int(Schema.Model.VERSION)
        if (version != Schema.Model.CURRENT_VERSION) {
            refuse("is of TFLite's version $version; the app reads version 3.")
        }
        val graphs = model.tables(Schema.Model.SUBGRAPHS)
        requireIntact(graphs.isNotEmpty()) { "it holds no graph" }
        if (graphs.size > 1) {
            refuse("has ${graphs.size} graphs; the app runs files of one, without branches.")
        }
        checkBuffers()
        graph = graphs.single()
        tensors = graph.tables(Schema.SubGraph.TENSORS).map(::tensor)
        checkSize()
        val (inputs, outputs) = ends(Schema.SubGraph.INPUTS) to ends(Schema.SubGraph.OUTPUTS)
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

    /** Returns the operations in their order. */
    fun nodes(): List<Node> {
        requireIntact(input.constant == null) { "the input is a constant" }
        val ready = tensors.filterTo(HashSet()) { it.constant != null || it === input }
        val nodes = graph.tables(Schema.SubGraph.OPERATORS).map { node(it, ready) }
        requireIntact(input !== output && output in ready) { "nothing computes its output" }
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
        requireIntact(shape.size <= MAX_RANK && shape.all { it >= 1 }) { "a shape is impossible" }
        requireIntact(signature.isEmpty() || signature.size == shape.size) {
            "a shape is impossible"
        }
        if (table.has(Schema.Tensor.SPARSITY)) {
            refuse("stores its weights sparsely; export it with all of them, zeros too.")
        }
        if (table.byte(Schema.Tensor.IS_VARIABLE) != 0) {
            refuse("remembers earlier images; the app classifies each one by itself.")
        }
        if (table.int(Schema.Tensor.EXTERNAL_BUFFER) != 0) refuse(WEIGHTS_OUTSIDE)
        val constant = constant(table.int(Schema.Tensor.BUFFER), shape, type)
        val quantization = table.table(Schema.Tensor.QUANTIZATION)
        val scales = quantization?.floats(Schema.Quantization.SCALE) ?: FloatArray(0)
        val zeroPoints = quantization?.longs(Schema.Quantization.ZERO_POINT) ?: LongArray(0)
        if (quantization != null) checkQuantization(quantization, type, shape, scales, zeroPoints)
        return Tensor(name, type, shape, signature, constant, scales, zeroPoints)
    }

    private fun type(code: Int): Schema.Type {
        requireIntact(code in Schema.Type.entries.indices) { "a type of number is unknown" }
        val type = Schema.Type.entries[code]
        if (type == Schema.Type.RESOURCE) {
            refuse("keeps its weights in variables; export it with constants, from a frozen graph.")
        }
        if (type.bits == 0) {
            refuse("holds numbers of type ${type.title}; use those of image classifiers.")
        }
        return type
    }

    /** Returns a tensor's values; null if its buffer is empty, so that an operation has to. */
    private fun constant(buffer: Int, shape: List<Int>, type: Schema.Type): ByteBuffer? {
        requireIntact(buffer in buffers.indices) { "a buffer is missing" }
        val elements = elements(shape)
        val values = buffers[buffer].bytes(Schema.Buffer.DATA)?.takeIf { it.hasRemaining() }
        requireIntact(
            values == null || values.remaining().toLong() == Tensor.bytesOf(elements, type),
        ) { "a tensor and its values differ in size" }
        return values
    }

    private fun elements(shape: List<Int>): Long {
        val elements = shape.fold(1L) { product, size -> minOf(product * size, TOO_MANY) }
        if (elements >= TOO_MANY) refuse(TOO_MUCH_MEMORY)
        return elements
    }

    private fun checkQuantization(
        table: Table,
        type: Schema.Type,
        shape: List<Int>,
        scales: FloatArray,
        zeroPoints: LongArray,
    ) {
        if (table.byte(Schema.Quantization.DETAILS_TYPE) != 0) {
            refuse("is quantized in a way of its own; use one scale a tensor or channel.")
        }
        if (scales.isEmpty()) return
        val dimension = table.int(Schema.Quantization.DIMENSION)
        val perChannel = dimension in shape.indices && scales.size == shape[dimension]
        requireIntact(scales.size == 1 || perChannel) { "scales are missing" }
        requireIntact(zeroPoints.size == scales.size) { "zero points are missing" }
        requireIntact(scales.all { it.isFinite() && it >= SMALLEST_SCALE && it <= LARGEST_SCALE }) {
            "a scale is impossible"
        }
        val limits = type.limits ?: return
        requireIntact(zeroPoints.all { it in limits }) { "a zero point is impossible" }
    }

    private fun checkSize() {
        val computed = tensors.filter { it.constant == null }.fold(0L) { sum, tensor ->
            minOf(sum + tensor.bytes, MAX_ACTIVATION_BYTES + 1)
        }
        if (computed > MAX_ACTIVATION_BYTES) refuse(TOO_MUCH_MEMORY)
    }

    private fun ends(slot: Int): IntArray {
        val indices = graph.ints(slot) ?: IntArray(0)
        indices.forEach(::checkIndex)
        return indices
    }

    private fun checkIndex(index: Int) =
        requireIntact(index in tensors.indices) { "a tensor is missing" }

    /** The first signature is what some runtimes call: it has to name the graph's own ends. */
    private fun checkSignatures(input: Int, output: Int) {
        for (signature in model.tables(Schema.Model.SIGNATURE_DEFS)) {
            requireIntact(
                signature.int(Schema.SignatureDef.SUBGRAPH_INDEX) == 0 &&
                    signature.has(Schema.SignatureDef.KEY),
            ) { "a signature names no graph" }
            checkSignature(signature.tables(Schema.SignatureDef.INPUTS), input)
            checkSignature(signature.tables(Schema.SignatureDef.OUTPUTS), output)
        }
    }

    private fun checkSignature(ends: List<Table>, index: Int) = requireIntact(
        ends.size == 1 && ends.single().has(Schema.TensorMap.NAME) &&
            ends.single().int(Schema.TensorMap.TENSOR_INDEX) == index,
    ) { "a signature names other tensors than the graph" }

    /** Reads an operation; its inputs have to be [ready], and its outputs are ready after it. */
    private fun node(table: Table, ready: MutableSet<Tensor>): Node {
        val operation = operation(table.int(Schema.Operator.OPCODE_INDEX))
        val inputs = table.ints(Schema.Operator.INPUTS) ?: IntArray(0)
        val outputs = table.ints(Schema.Operator.OUTPUTS) ?: IntArray(0)
        requireIntact(inputs.size in operation.inputs && outputs.size in operation.outputs) {
            "$operation has not its number of tensors"
        }
        inputs.forEachIndexed { position, index ->
            if (index == -1 && position == operation.optional) return@forEachIndexed
            checkIndex(index)
            requireIntact(tensors[index] in ready) { "$operation needs what nothing has computed" }
        }
        for (index in outputs) {
            checkIndex(index)
            requireIntact(ready.add(tensors[index])) { "$operation computes what is known already" }
        }
        val node = Node(
            operation,
            options(table, operation),
            inputs.map { if (it == -1) null else tensors[it] },
            outputs.map { tensors[it] },
        )
        operation.shapes(node)
        node.checkTypes()
        return node
    }

    private fun operation(index: Int): Operation {
        requireIntact(index in operations.indices) { "an operation is missing" }
        val table = operations[index]
        // The schema moved the number out of a byte; the greater one holds.
        val deprecated = table.byte(Schema.OperatorCode.DEPRECATED_BUILTIN_CODE)
        val code = maxOf(table.int(Schema.OperatorCode.BUILTIN_CODE), deprecated)
        val custom = table.text(Schema.OperatorCode.CUSTOM_CODE)
        if (code == Operation.CUSTOM || custom != null) {
            refuse(
                "needs the operation '${printable(custom ?: "")}', which TFLite lacks; " +
                    "export the model from built-in operations only.",
            )
        }
        return Operation.of(code) ?: refuse(
            "needs the operation ${Operation.nameOf(code)}; " +
                "the app runs those of image classifiers.",
        )
    }

    private fun options(table: Table, operation: Operation): Table? {
        val type = table.byte(Schema.Operator.OPTIONS_TYPE)
        requireIntact(
            (type == 0 || type == operation.optionsType || operation.optionsType == 0) &&
                table.byte(Schema.Operator.OPTIONS_2_TYPE) == 0 &&
                table.long(Schema.Operator.LARGE_CUSTOM_OPTIONS_OFFSET) == 0L,
        ) { "$operation has another operation's options" }
        return if (type == 0) null else table.table(Schema.Operator.OPTIONS)
    }

    private companion object {
        const val WEIGHTS_OUTSIDE =
            "keeps its weights outside of the file; export it as one file of less than 2 GB."
        const val TOO_MUCH_MEMORY = "needs more memory than the app may take."

        // TFLite's kernels hold a shape in arrays of 8 at most (squeeze.cc, transpose.cc).
        const val MAX_RANK = 8

        // VGG-16's activations at 224 x 224, the largest here, have 110 MB.
        const val MAX_ACTIVATION_BYTES = 1L shl 30
        const val TOO_MANY = 1L shl 31

        // Kernels multiply and divide scales; in between, no product leaves float's range.
        const val SMALLEST_SCALE = 1e-12f
        const val LARGEST_SCALE = 1e12f
    }
}
