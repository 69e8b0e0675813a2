package org.cnnkeras.demo.engine

import java.io.Closeable
import java.nio.ByteBuffer

/** A loaded network: bytes in, bytes out. What the bytes mean stands in the file, see `model`. */
interface Engine : Closeable {
    /**
     * Classifies one image.
     *
     * @param input the input tensor's bytes, direct and in native order, from position 0
     * @param output where the output tensor's bytes go, likewise
     * @throws EngineException if an operation fails
     */
    fun run(input: ByteBuffer, output: ByteBuffer): EngineTimes
}

/** How long the stages of [Engine.run] took, in nanoseconds. */
data class EngineTimes(val copyInNanos: Long, val invokeNanos: Long, val copyOutNanos: Long)

/** Makes engines; one implementation stands for one runtime. */
fun interface EngineFactory {
    /**
     * Loads a file.
     *
     * @param model the whole `.tflite` file, direct and in native order
     * @throws EngineException if the runtime does not take it; the message is one sentence
     */
    fun open(model: ByteBuffer, numThreads: Int): Engine
}

/** What a runtime refuses; the message is one sentence that a user can read. */
class EngineException(message: String, cause: Throwable? = null) : Exception(message, cause)
