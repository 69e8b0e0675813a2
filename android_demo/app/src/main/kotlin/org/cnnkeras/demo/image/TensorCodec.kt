package org.cnnkeras.demo.image

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.round
import org.cnnkeras.demo.model.TensorSpec
import org.cnnkeras.demo.model.TensorType

/**
 * Converts between real numbers and the bytes of a tensor, with its scale and zero point.
 *
 * The results equal those of `quantize` and `dequantize` of the `Interpreter` in `export` bit for
 * bit. Floats pass through. Buffers are direct, in native byte order, and used from position 0.
 */
class TensorCodec(private val spec: TensorSpec) {
    private val lowest = if (spec.type == TensorType.INT8) -128 else 0
    private val highest = lowest + 255

    /** Writes one number for each element of the tensor. */
    fun write(values: FloatArray, into: ByteBuffer) {
        require(values.size == spec.elements) { "${values.size} values for ${spec.shape}" }
        val buffer = into.fromStart()
        if (spec.type == TensorType.FLOAT32) {
            buffer.asFloatBuffer().put(values)
        } else {
            buffer.put(ByteArray(values.size) { quantize(values[it]).toByte() })
        }
    }

    /** Reads one number for each element of the tensor. */
    fun read(from: ByteBuffer): FloatArray {
        val buffer = from.fromStart()
        val values = FloatArray(spec.elements)
        if (spec.type == TensorType.FLOAT32) {
            buffer.asFloatBuffer().get(values)
        } else {
            for (index in values.indices) values[index] = dequantize(buffer.get(index).toInt())
        }
        return values
    }

    /** Rounds half to even; truncates if the tensor has no scale and holds plain integers. */
    private fun quantize(value: Float): Int {
        if (spec.scale == 0f) return value.toInt().coerceIn(lowest, highest)
        val step = round(value / spec.scale) + spec.zeroPoint
        return step.toInt().coerceIn(lowest, highest)
    }

    private fun dequantize(byte: Int): Float {
        val step = if (spec.type == TensorType.UINT8) byte and 0xFF else byte
        if (spec.scale == 0f) return step.toFloat()
        return (step.toFloat() - spec.zeroPoint.toFloat()) * spec.scale
    }

    private fun ByteBuffer.fromStart(): ByteBuffer {
        val buffer = duplicate().order(ByteOrder.nativeOrder())
        buffer.position(0)
        return buffer
    }
}
