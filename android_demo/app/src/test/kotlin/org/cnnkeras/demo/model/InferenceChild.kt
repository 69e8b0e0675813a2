package org.cnnkeras.demo.model

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.cnnkeras.demo.engine.EngineException
import org.cnnkeras.demo.engine.HostEngineFactory

/**
 * Reads paths of files from standard input and runs each once, so that a crash ends this process
 * and not the tests'. After a file it writes `done PATH OUTCOME`.
 *
 * Two arguments are the sizes in bytes of every file's input and output: then the app's checks stay
 * away, as if a file came to the runtime at once.
 */
fun main(arguments: Array<String>) {
    for (path in generateSequence(::readlnOrNull)) {
        val bytes = File(path).readBytes()
        val file = buffer(bytes.size)
        file.put(bytes).rewind()
        val outcome = try {
            if (arguments.isEmpty()) runChecked(file) else run(file, arguments.map(String::toInt))
            "ran"
        } catch (refusal: EngineException) {
            "refused: ${refusal.message}"
        }
        println("done $path $outcome")
        System.out.flush()
    }
}

private fun runChecked(file: ByteBuffer) {
    val model = ModelReader.read(file, "x.tflite")
    run(model.bytes, listOf(model.input.bytes, model.output.bytes))
}

private fun run(file: ByteBuffer, sizes: List<Int>) {
    val (input, output) = sizes.map(::buffer)
    for (index in 0 until input.capacity()) input.put(index, (index * 37).toByte())
    HostEngineFactory().open(file, numThreads = 1).use { it.run(input, output) }
}

private fun buffer(size: Int): ByteBuffer =
    ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())
