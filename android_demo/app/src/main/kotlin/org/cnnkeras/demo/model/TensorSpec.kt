package org.cnnkeras.demo.model

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The types of number that an input or output may have. */
enum class TensorType(val title: String, val bytes: Int) {
    FLOAT32("float32", 4),
    UINT8("uint8", 1),
    INT8("int8", 1),
}

/**
 * What a file says about its input or output.
 *
 * @property shape static, batch 1 first: `(1, height, width, channels)` or `(1, classes)`
 * @property scale real units per integer step; 0 if the tensor is not quantized
 * @property zeroPoint the integer that stands for 0.0
 */
data class TensorSpec(
    val name: String,
    val type: TensorType,
    val shape: List<Int>,
    val scale: Float = 0f,
    val zeroPoint: Int = 0,
) {
    /** How many numbers the tensor has. */
    val elements: Int get() = shape.fold(1) { product, size -> product * size }

    /** How many bytes the tensor has. */
    val bytes: Int get() = elements * type.bytes

    /** Makes room for the tensor, direct and in native order, as an engine takes it. */
    fun newBuffer(): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
}
