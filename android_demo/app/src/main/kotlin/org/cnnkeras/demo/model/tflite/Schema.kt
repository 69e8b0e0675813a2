package org.cnnkeras.demo.model.tflite

import org.cnnkeras.demo.model.tflite.Field.Nested
import org.cnnkeras.demo.model.tflite.Field.NestedList
import org.cnnkeras.demo.model.tflite.Field.Scalar
import org.cnnkeras.demo.model.tflite.Field.Scalars
import org.cnnkeras.demo.model.tflite.Field.Text
import org.cnnkeras.demo.model.tflite.Field.Union

/**
 * The tables of a `.tflite` file that the app reads, with the indices of their slots.
 *
 * Reference: TensorFlow Lite, `tensorflow/compiler/mlir/lite/schema/schema.fbs`.
 */
internal object Schema {
    private val BYTE = Scalar(1)
    private val INT = Scalar(4)
    private val LONG = Scalar(8)
    private val BYTES = Scalars(1)
    private val INTS = Scalars(4)
    private val LONGS = Scalars(8)

    object Quantization {
        const val SCALE = 2
        const val ZERO_POINT = 3
        const val DETAILS_TYPE = 4
        const val DIMENSION = 6
        val LAYOUT = Layout(INTS, INTS, INTS, LONGS, BYTE, Union { null }, INT)
    }

    object Tensor {
        const val SHAPE = 0
        const val TYPE = 1
        const val BUFFER = 2
        const val NAME = 3
        const val QUANTIZATION = 4
        const val IS_VARIABLE = 5
        const val SPARSITY = 6
        const val SHAPE_SIGNATURE = 7
        const val EXTERNAL_BUFFER = 10
        val LAYOUT = Layout(
            INTS, BYTE, INT, Text, Nested(Quantization.LAYOUT), BYTE, Nested(Layout()), INTS, BYTE,
            NestedList(Layout()), INT,
        )
    }

    object OperatorCode {
        const val DEPRECATED_BUILTIN_CODE = 0
        const val CUSTOM_CODE = 1
        const val BUILTIN_CODE = 3
        val LAYOUT = Layout(BYTE, Text, INT, INT)
    }

    object Operator {
        const val OPCODE_INDEX = 0
        const val INPUTS = 1
        const val OUTPUTS = 2
        const val OPTIONS_TYPE = 3
        const val OPTIONS = 4
        const val LARGE_CUSTOM_OPTIONS_OFFSET = 9
        const val OPTIONS_2_TYPE = 11
        val LAYOUT = Layout(
            INT, INTS, INTS, BYTE, Union(Operation::optionsLayout), BYTES, BYTE, BYTES, INTS, LONG,
            LONG, BYTE, Nested(Layout()),
        )
    }

    object SubGraph {
        const val TENSORS = 0
        const val INPUTS = 1
        const val OUTPUTS = 2
        const val OPERATORS = 3
        val LAYOUT =
            Layout(NestedList(Tensor.LAYOUT), INTS, INTS, NestedList(Operator.LAYOUT), Text, INT)
    }

    object Buffer {
        const val DATA = 0
        const val OFFSET = 1
        const val SIZE = 2
        val LAYOUT = Layout(BYTES, LONG, LONG)
    }

    object Metadata {
        const val NAME = 0
        const val BUFFER = 1
        val LAYOUT = Layout(Text, INT)
    }

    object TensorMap {
        const val NAME = 0
        const val TENSOR_INDEX = 1
        val LAYOUT = Layout(Text, INT)
    }

    object SignatureDef {
        const val INPUTS = 0
        const val OUTPUTS = 1
        const val KEY = 2
        const val SUBGRAPH_INDEX = 4
        val LAYOUT = Layout(
            NestedList(TensorMap.LAYOUT), NestedList(TensorMap.LAYOUT), Text, Union { null }, INT,
        )
    }

    object Model {
        /** The `file_identifier`, in bytes 4 to 7 of every file. */
        const val IDENTIFIER = "TFL3"

        /** The only version since 2017. */
        const val CURRENT_VERSION = 3
        const val VERSION = 0
        const val OPERATOR_CODES = 1
        const val SUBGRAPHS = 2
        const val BUFFERS = 4
        const val METADATA_BUFFER = 5
        const val METADATA = 6
        const val SIGNATURE_DEFS = 7
        const val EXTERNAL_BUFFERS = 9
        val LAYOUT = Layout(
            INT, NestedList(OperatorCode.LAYOUT), NestedList(SubGraph.LAYOUT), Text,
            NestedList(Buffer.LAYOUT), INTS, NestedList(Metadata.LAYOUT),
            NestedList(SignatureDef.LAYOUT), NestedList(Layout()), NestedList(Layout()),
        )
    }

    /** The data types in the order of `TensorType`; the app refuses those of 0 bits. */
    enum class Type(val title: String, val bits: Int = 0, val limits: LongRange? = null) {
        FLOAT32("float32", 32),
        FLOAT16("float16", 16),
        INT32("int32", 32, Int.MIN_VALUE.toLong()..Int.MAX_VALUE),
        UINT8("uint8", 8, 0L..255),
        INT64("int64", 64, Long.MIN_VALUE..Long.MAX_VALUE),
        STRING("string"),
        BOOL("bool", 8),
        INT16("int16", 16, -32768L..32767),
        COMPLEX64("complex64"),
        INT8("int8", 8, -128L..127),
        FLOAT64("float64"),
        COMPLEX128("complex128"),
        UINT64("uint64"),
        RESOURCE("resource"),
        VARIANT("variant"),
        UINT32("uint32"),
        UINT16("uint16"),
        INT4("int4", 4, -8L..7),
        BFLOAT16("bfloat16"),
        INT2("int2"),
        UINT4("uint4"),
        FLOAT8_E4M3FN("float8_e4m3fn"),
        FLOAT8_E5M2("float8_e5m2"),
    }
}
