package org.cnnkeras.demo.model

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The element types of an input or output. */
enum class TensorType(val title: String, val bytes: Int) {
    FLOAT32("float32", 4),
    UINT8("uint8", 1),
    INT8("int8", 1),
}

/**
 * The type, shape and quantization of an input or output.
 *
 * @property shape static, batch 1 first: `(1, height, width, channels)` or `(1, classes)`
 * @property scale real units per integer step; 0 if the tensor is not quantized
 * @property zeroPoint the integer that represents 0.0
 */
data class TensorSpec(
    val name: String,
    val type: TensorType,
    val shape: List<Int>,
    val scale: Float = 0f,
    val zeroPoint: Int = 0,
) {
    /** Number of elements. */
    val elements: Int get() = shape.fold(1) { product, size -> product * size }

    /** Size in bytes. */
    val bytes: Int get() = elements * type.bytes

    /** Allocates a direct buffer in native order for the tensor. */
    fun newBuffer(): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
}
