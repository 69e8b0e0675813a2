package org.cnnkeras.demo.model

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.cnnkeras.demo.engine.EngineException
import org.cnnkeras.demo.engine.HostEngineFactory

/**
 * Reads paths of files from standard input and runs each once, so that a crash ends this process
 * and not the tests'. Before a file it writes `run PATH`, after it `done PATH OUTCOME`.
 */
fun main() {
    val factory = HostEngineFactory()
    for (path in generateSequence(::readlnOrNull)) {
        println("run $path")
        System.out.flush()
        println("done $path ${outcome(factory, File(path))}")
        System.out.flush()
    }
}

private fun outcome(factory: HostEngineFactory, file: File): String = try {
    val model = ModelReader.read(ByteBuffer.wrap(file.readBytes()), file.name)
    factory.open(model.bytes, numThreads = 1).use { engine ->
        val (input, output) = listOf(model.input, model.output).map { spec ->
            ByteBuffer.allocateDirect(spec.bytes).order(ByteOrder.nativeOrder())
        }
        for (index in 0 until input.capacity()) input.put(index, (index * 37).toByte())
        if (model.input.type == TensorType.FLOAT32) {
            for (index in 0 until model.input.elements) input.putFloat(4 * index, index % 17 / 8f - 1)
        }
        engine.run(input, output)
    }
    "ran"
} catch (refusal: EngineException) {
    "refused: ${refusal.message}"
}
