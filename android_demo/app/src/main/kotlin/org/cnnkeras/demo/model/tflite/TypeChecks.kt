package org.cnnkeras.demo.model.tflite

import org.cnnkeras.demo.model.requireIntact
import org.cnnkeras.demo.model.tflite.Schema.Type

/**
 * Checks the data types of an operation's outputs, and that its quantized tensors have a scale. The
 * kernels do not check either.
 */
internal fun Node.checkTypes() {
    val from = (inputs[operation.data] ?: return).type
    for (output in outputs) {
        requireIntact(isValidOutput(output.type, from)) {
            "$operation computes ${output.type.title} from ${from.title}"
        }
    }
    // A cast converts plain integers, which need no scale.
    if (operation == Operation.CAST) return
    for (tensor in inputs.filterNotNull() + outputs) {
        if (tensor.type !in QUANTIZED) continue
        val maxScales = if (tensor.constant == null) 1 else Int.MAX_VALUE
        requireIntact(tensor.scales.size in 1..maxScales) { "$operation lacks a scale" }
    }
}

private fun Node.isValidOutput(to: Type, from: Type): Boolean = when (operation) {
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
