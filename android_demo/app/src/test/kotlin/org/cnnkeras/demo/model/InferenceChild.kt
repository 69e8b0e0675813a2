package org.cnnkeras.demo.model

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.cnnkeras.demo.engine.EngineException
import org.cnnkeras.demo.engine.HostEngineFactory

/**
 * Runs each file whose path it reads from standard input, and writes `done PATH OUTCOME` after it.
 * A crash ends this process instead of the tests.
 *
 * With two arguments, the sizes in bytes of the input and the output, it runs the files without the
 * checks of the app.
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
