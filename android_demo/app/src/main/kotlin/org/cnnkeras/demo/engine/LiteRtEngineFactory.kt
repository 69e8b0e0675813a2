package org.cnnkeras.demo.engine

import android.os.Build
import java.nio.ByteBuffer
import org.tensorflow.lite.Interpreter

/** LiteRT on the phone, on its processor: the only class that knows the runtime. */
class LiteRtEngineFactory : EngineFactory {
    override fun open(model: ByteBuffer, numThreads: Int): Engine {
        val options = Interpreter.Options().setNumThreads(numThreads).setUseXNNPACK(true)
        // Everything is caught: a library for another processor is an Error, not an Exception.
        val interpreter = try {
            Interpreter(model, options)
        } catch (failure: Throwable) {
            throw EngineException(sentence(failure), failure)
        }
        try {
            interpreter.allocateTensors()
            return LiteRtEngine(interpreter)
        } catch (failure: Throwable) {
            interpreter.close()
            throw EngineException(sentence(failure), failure)
        }
    }

    private class LiteRtEngine(private val interpreter: Interpreter) : Engine {
        override fun run(input: ByteBuffer, output: ByteBuffer): EngineTimes {
            input.rewind()
            output.rewind()
            try {
                return timed(input, output)
            } catch (failure: RuntimeException) {
                throw EngineException(sentence(failure), failure)
            }
        }

        /**
         * The interpreter copies the input in, then times the operations alone. Given no place for
         * the output it copies nothing out, so what is left of the call is the copy in; the output
         * is read from the runtime's own memory afterward.
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

        /** What the phone or the runtime lacks, from messages of many lines. */
        fun sentence(failure: Throwable): String {
            val message = failure.message.orEmpty()
            val operation = MISSING_OPERATION.find(message)?.groupValues?.drop(1)
            return when {
                failure is LinkageError -> {
                    val processor = Build.SUPPORTED_ABIS.joinToString(" or ")
                    "This app has no LiteRT that runs on this phone's processor ($processor)."
                }
                failure is OutOfMemoryError -> "The phone has too little memory for this file."
                operation != null -> {
                    val name = operation.first { it.isNotEmpty() }
                    "The file needs the operation $name, which LiteRT does not have here."
                }
                else -> "LiteRT cannot run this file: ${firstLine(message)}."
            }
        }

        fun firstLine(message: String): String =
            message.lineSequence().map { it.trim().trimEnd('.') }.firstOrNull { it.isNotEmpty() }
                ?: "it gave no reason"
    }
}
