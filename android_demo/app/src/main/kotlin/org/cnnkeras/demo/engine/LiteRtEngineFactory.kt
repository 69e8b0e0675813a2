package org.cnnkeras.demo.engine

import android.os.Build
import java.nio.ByteBuffer
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.TensorFlowLite

/** Runs models with LiteRT on the CPU. It is the only class that uses the runtime. */
class LiteRtEngineFactory : EngineFactory {
    /** The runtime is called by its former name, to which the version number belongs. */
    override val runtime: InferenceRuntime
        get() = InferenceRuntime("TensorFlow Lite", TensorFlowLite.runtimeVersion())

    override fun open(model: ByteBuffer, numThreads: Int): Engine {
        val options = Interpreter.Options().setNumThreads(numThreads).setUseXNNPACK(true)
        // Catches all throwables: a missing native library is an Error, not an Exception.
        val interpreter = try {
            Interpreter(model, options)
        } catch (failure: Throwable) {
            throw EngineException(message(failure), failure)
        }
        try {
            interpreter.allocateTensors()
            return LiteRtEngine(interpreter)
        } catch (failure: Throwable) {
            interpreter.close()
            throw EngineException(message(failure), failure)
        }
    }

    private class LiteRtEngine(private val interpreter: Interpreter) : Engine {
        override fun run(input: ByteBuffer, output: ByteBuffer): EngineTimes {
            input.rewind()
            output.rewind()
            try {
                return timed(input, output)
            } catch (failure: RuntimeException) {
                throw EngineException(message(failure), failure)
            }
        }

        /**
         * Runs the interpreter without an output buffer, so that the call copies the input and runs
         * the operations, whose time the interpreter reports; the rest is the time of the copy. The
         * output is then copied from the memory of the runtime.
         */
        private fun timed(input: ByteBuffer, output: ByteBuffer): EngineTimes {
            val start = System.nanoTime()
            interpreter.runForMultipleInputsOutputs(arrayOf(input), emptyMap())
            val invoked = System.nanoTime()
            output.put(interpreter.getOutputTensor(0).asReadOnlyBuffer())
            val copiedOut = System.nanoTime()
            val invoke = interpreter.lastNativeInferenceDurationNanoseconds
            return EngineTimes(
                copyInNanos = invoked - start - invoke,
                invokeNanos = invoke,
                copyOutNanos = copiedOut - invoked,
            )
        }

        override fun close() = interpreter.close()
    }

    private companion object {
        val MISSING_OPERATION = Regex("""unresolved custom op: (\w+)|(Flex\w+)""")

        /** Summarizes a failure, whose own message may have many lines, in one sentence. */
        fun message(failure: Throwable): String {
            val details = failure.message.orEmpty()
            val operation = MISSING_OPERATION.find(details)?.groupValues?.drop(1)
            return when {
                failure is LinkageError -> {
                    val processor = Build.SUPPORTED_ABIS.joinToString(" or ")
                    "This app has no LiteRT that runs on this phone's processor ($processor)."
                }
                failure is OutOfMemoryError -> "The phone has too little memory for this model."
                operation != null -> {
                    val name = operation.first { it.isNotEmpty() }
                    "The model needs the operation $name, which LiteRT does not have here."
                }
                else -> "LiteRT cannot run this model: ${firstLine(details)}."
            }
        }

        fun firstLine(message: String): String =
            message.lineSequence().map { it.trim().trimEnd('.') }.firstOrNull { it.isNotEmpty() }
                ?: "it gave no reason"
    }
}
