package org.cnnkeras.demo.engine

import java.io.Closeable
import java.nio.ByteBuffer

/** A loaded network. It maps the bytes of the input tensor to those of the output tensor. */
interface Engine : Closeable {
    /**
     * Runs the network once.
     *
     * @param input the bytes of the input tensor: a direct buffer in native order, from position 0
     * @param output receives the bytes of the output tensor; a buffer of the same kind
     * @throws EngineException if an operation fails
     */
    fun run(input: ByteBuffer, output: ByteBuffer): EngineTimes
}

/** Durations of the stages of [Engine.run], in nanoseconds. */
data class EngineTimes(val copyInNanos: Long, val invokeNanos: Long, val copyOutNanos: Long)

/** The name and version of a runtime. */
data class InferenceRuntime(val name: String, val version: String)

/** Creates engines; each runtime has an implementation. */
interface EngineFactory {
    /** The runtime. It may be read after a model has been opened. */
    val runtime: InferenceRuntime

    /**
     * Loads a model.
     *
     * @param model the whole `.tflite` file: a direct buffer in native order
     * @throws EngineException if the runtime rejects the file
     */
    fun open(model: ByteBuffer, numThreads: Int): Engine
}

/** The runtime rejects or fails on a model; the message is one sentence for the user. */
class EngineException(message: String, cause: Throwable? = null) : Exception(message, cause)
