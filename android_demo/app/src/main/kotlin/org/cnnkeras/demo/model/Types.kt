package org.cnnkeras.demo.model

import org.cnnkeras.demo.model.Schema.Type

/**
 * Checks which numbers an operation computes from which, and that those which stand for real ones
 * say by what scale. Kernels take both for granted.
 */
internal fun Node.checkTypes() {
    val from = (inputs[operation.data] ?: return).type
    for (output in outputs) {
        requireIntact(isComputed(output.type, from)) {
            "$operation makes ${output.type.title} of ${from.title}"
        }
    }
    // A cast takes the integers themselves, as of an input of pixels.
    if (operation == Operation.CAST) return
    for (tensor in inputs.filterNotNull() + outputs) {
        if (tensor.type !in QUANTIZED) continue
        val most = if (tensor.constant == null) 1 else Int.MAX_VALUE
        requireIntact(tensor.scales.size in 1..most) { "$operation lacks a scale" }
    }
}

private fun Node.isComputed(to: Type, from: Type): Boolean = when (operation) {
    Operation.CAST -> true
    Operation.QUANTIZE -> to in QUANTIZED && (from == Type.FLOAT32 || from in QUANTIZED)
    Operation.DEQUANTIZE -> to == Type.FLOAT32 && (from == Type.FLOAT16 || from in QUANTIZED)
    Operation.SHAPE -> to == Type.INT32 || to == Type.INT64
    Operation.LESS, Operation.LESS_EQUAL, Operation.GREATER, Operation.GREATER_EQUAL,
    Operation.EQUAL, Operation.NOT_EQUAL,
    -> to == Type.BOOL
    else -> to == from
}

private val QUANTIZED = setOf(Type.INT8, Type.UINT8, Type.INT16, Type.INT4)
