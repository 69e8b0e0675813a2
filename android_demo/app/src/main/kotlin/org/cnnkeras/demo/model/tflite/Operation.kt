package org.cnnkeras.demo.model.tflite

/**
 * The supported operations, which are those of image classifiers. The app refuses other operations,
 * so that it can check the inputs, options and shapes of each one before native code runs it.
 *
 * @property code number of the operation in `BuiltinOperator`, which also has its name
 * @property inputs number of inputs
 * @property optionsType type of the options in the union `BuiltinOptions`; 0 if there are none
 * @property layout slots of the options, see [Layout.of]
 * @property checkShapes checks the options and the shapes of the inputs and outputs
 * @property outputs number of outputs
 * @property optional index of an input that may be omitted; -1 if there is none
 * @property data index of the input that has the data type of the outputs
 */
internal enum class Operation(
    val code: Int,
    val inputs: IntRange,
    val optionsType: Int,
    layout: String,
    val checkShapes: Node.() -> Unit,
    val outputs: IntRange = 1..1,
    val optional: Int = -1,
    val data: Int = 0,
) {
    ADD(0, 2..2, 11, "bb", Node::broadcast),
    AVERAGE_POOL_2D(1, 1..1, 5, "biiiib", Node::pool),
    CONCATENATION(2, 1..MANY, 10, "ib", Node::concatenate),
    CONV_2D(3, 2..3, 1, "biibiib", Node::convolve, optional = 2),
    DEPTHWISE_CONV_2D(4, 3..3, 2, "biiibii", Node::convolveDepthwise, optional = 2),
    DEPTH_TO_SPACE(5, 1..1, 94, "i", Node::depthToSpace),
    DEQUANTIZE(6, 1..1, 38, "", Node::unary),
    FLOOR(8, 1..1, 0, "", Node::unary),
    FULLY_CONNECTED(9, 2..3, 8, "bbbbb[b", Node::connectFully, optional = 2),
    L2_NORMALIZATION(11, 1..1, 12, "b", Node::unary),
    L2_POOL_2D(12, 1..1, 5, "biiiib", Node::pool),
    LOCAL_RESPONSE_NORMALIZATION(13, 1..1, 13, "iiii", Node::normalizeLocally),
    LOGISTIC(14, 1..1, 0, "", Node::unary),
    MAX_POOL_2D(17, 1..1, 5, "biiiib", Node::pool),
    MUL(18, 2..2, 21, "b", Node::broadcast),
    RELU(19, 1..1, 0, "", Node::unary),
    RELU_N1_TO_1(20, 1..1, 0, "", Node::unary),
    RELU6(21, 1..1, 0, "", Node::unary),
    RESHAPE(22, 1..2, 17, "[i", Node::reshape),
    RESIZE_BILINEAR(23, 2..2, 15, "iibb", Node::resize),
    SOFTMAX(25, 1..1, 9, "i", Node::unary),
    SPACE_TO_DEPTH(26, 1..1, 19, "i", Node::spaceToDepth),
    TANH(28, 1..1, 0, "", Node::unary),
    PAD(34, 2..2, 22, "", Node::pad),
    GATHER(36, 2..2, 23, "ii", Node::gather),
    BATCH_TO_SPACE_ND(37, 3..3, 24, "", Node::batchToSpace),
    SPACE_TO_BATCH_ND(38, 3..3, 25, "", Node::spaceToBatch),
    TRANSPOSE(39, 2..2, 26, "", Node::transpose),
    MEAN(40, 2..2, 27, "b", Node::reduce),
    SUB(41, 2..2, 28, "bb", Node::broadcast),
    DIV(42, 2..2, 29, "b", Node::broadcast),
    SQUEEZE(43, 1..1, 30, "[i", Node::sameElements),
    STRIDED_SLICE(45, 4..4, 32, "iiiiib", Node::sliceStrided),
    EXP(47, 1..1, 33, "", Node::unary),
    SPLIT(49, 2..2, 35, "i", Node::split, outputs = 1..MANY, data = 1),
    LOG_SOFTMAX(50, 1..1, 36, "", Node::unary),
    CAST(53, 1..1, 37, "bb", Node::unary),
    PRELU(54, 2..2, 0, "", Node::broadcast),
    MAXIMUM(55, 2..2, 39, "", Node::broadcast),
    MINIMUM(57, 2..2, 39, "", Node::broadcast),
    LESS(58, 2..2, 41, "", Node::broadcast),
    NEG(59, 1..1, 42, "", Node::unary),
    PADV2(60, 3..3, 43, "", Node::pad),
    GREATER(61, 2..2, 44, "", Node::broadcast),
    GREATER_EQUAL(62, 2..2, 45, "", Node::broadcast),
    LESS_EQUAL(63, 2..2, 46, "", Node::broadcast),
    SELECT(64, 3..3, 47, "", Node::select, data = 1),
    SLICE(65, 3..3, 48, "", Node::slice),
    SIN(66, 1..1, 0, "", Node::unary),
    TRANSPOSE_CONV(67, 3..4, 49, "biibb", Node::convolveTransposed, optional = 3, data = 2),
    TILE(69, 2..2, 51, "", Node::tile),
    EXPAND_DIMS(70, 2..2, 52, "", Node::sameElements),
    EQUAL(71, 2..2, 53, "", Node::broadcast),
    NOT_EQUAL(72, 2..2, 54, "", Node::broadcast),
    LOG(73, 1..1, 0, "", Node::unary),
    SUM(74, 2..2, 27, "b", Node::reduce),
    SQRT(75, 1..1, 0, "", Node::unary),
    RSQRT(76, 1..1, 0, "", Node::unary),
    SHAPE(77, 1..1, 55, "b", Node::shape),
    POW(78, 2..2, 56, "", Node::broadcast),
    REDUCE_PROD(81, 2..2, 27, "b", Node::reduce),
    REDUCE_MAX(82, 2..2, 27, "b", Node::reduce),
    PACK(83, 1..MANY, 59, "ii", Node::pack),
    LOGICAL_OR(84, 2..2, 60, "", Node::broadcast),
    LOGICAL_AND(86, 2..2, 62, "", Node::broadcast),
    LOGICAL_NOT(87, 1..1, 63, "", Node::unary),
    UNPACK(88, 1..1, 64, "ii", Node::unpack, outputs = 1..MANY),
    REDUCE_MIN(89, 2..2, 27, "b", Node::reduce),
    SQUARE(92, 1..1, 66, "", Node::unary),
    RESIZE_NEAREST_NEIGHBOR(97, 2..2, 74, "bb", Node::resize),
    LEAKY_RELU(98, 1..1, 75, "i", Node::unary),
    SQUARED_DIFFERENCE(99, 2..2, 76, "", Node::broadcast),
    MIRROR_PAD(100, 2..2, 77, "b", Node::padMirrored),
    ABS(101, 1..1, 78, "", Node::unary),
    SPLIT_V(102, 3..3, 79, "i", Node::splitUnevenly, outputs = 1..MANY),
    CEIL(104, 1..1, 0, "", Node::unary),
    ADD_N(106, 1..MANY, 82, "", Node::sumTensors),
    COS(108, 1..1, 84, "", Node::unary),
    ELU(111, 1..1, 0, "", Node::unary),
    QUANTIZE(114, 1..1, 89, "", Node::unary),
    ROUND(116, 1..1, 0, "", Node::unary),
    HARD_SWISH(117, 1..1, 91, "", Node::unary),
    SELECT_V2(123, 3..3, 98, "", Node::select, data = 1),
    BATCH_MATMUL(126, 2..2, 101, "bbb", Node::multiplyMatrices),
    BROADCAST_TO(130, 2..2, 104, "", Node::broadcastTo),
    GELU(150, 1..1, 116, "b", Node::unary),
    RELU_0_TO_1(152, 1..1, 0, "", Node::unary),
    SIGN(158, 1..1, 123, "", Node::unary),
    ;

    private val layout = Layout.of(layout)

    companion object {
        private val byCode = entries.associateBy { it.code }
        private val layouts = entries.associate { it.optionsType to it.layout }

        /** `BuiltinOperator.CUSTOM`: an operation that is not built into TFLite. */
        const val CUSTOM = 32

        /** Returns the operation of a number in `BuiltinOperator`; null if it is not supported. */
        fun of(code: Int): Operation? = byCode[code]

        /** Returns the layout of a type in `BuiltinOptions`; null if the type is not supported. */
        fun optionsLayout(type: Int): Layout? = layouts[type]

        /** Returns the name of an operation that is not supported, for a message. */
        fun nameOf(code: Int): String = UNSUPPORTED_NAMES[code] ?: "with code $code"
    }
}

// For operations with a list of tensors, which has no maximum length.
private const val MANY = Int.MAX_VALUE

// Operations of other models: sequences, branches, detection and dynamic shapes.
private val UNSUPPORTED_NAMES = mapOf(
    7 to "EMBEDDING_LOOKUP", 10 to "HASHTABLE_LOOKUP", 16 to "LSTM", 24 to "RNN", 27 to "SVDF",
    31 to "CALL", 35 to "UNIDIRECTIONAL_SEQUENCE_RNN", 44 to "UNIDIRECTIONAL_SEQUENCE_LSTM",
    48 to "TOPK_V2", 56 to "ARG_MAX", 79 to "ARG_MIN", 80 to "FAKE_QUANT", 85 to "ONE_HOT",
    90 to "FLOOR_DIV", 94 to "FILL", 95 to "FLOOR_MOD", 96 to "RANGE", 107 to "GATHER_ND",
    109 to "WHERE", 118 to "IF", 119 to "WHILE", 120 to "NON_MAX_SUPPRESSION_V4",
    121 to "NON_MAX_SUPPRESSION_V5", 122 to "SCATTER_ND", 124 to "DENSIFY", 128 to "CUMSUM",
    129 to "CALL_ONCE", 131 to "RFFT2D", 132 to "CONV_3D", 142 to "VAR_HANDLE",
    143 to "READ_VARIABLE", 144 to "ASSIGN_VARIABLE", 151 to "DYNAMIC_UPDATE_SLICE",
    206 to "STABLEHLO_COMPOSITE",
)
