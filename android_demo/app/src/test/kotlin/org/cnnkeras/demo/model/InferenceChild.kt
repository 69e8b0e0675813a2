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
 * With the argument `unchecked`, files only load, and the app's checks stay away.
 */
fun main(arguments: Array<String>) {
    val outcome: (ByteBuffer) -> Unit = if ("unchecked" in arguments) ::load else ::run
    for (path in generateSequence(::readlnOrNull)) {
        val bytes = File(path).readBytes()
        val direct = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder())
        direct.put(bytes).rewind()
        val how = try {
            outcome(direct)
            "ran"
        } catch (refusal: EngineException) {
            "refused: ${refusal.message}"
        }
        println("done $path $how")
        System.out.flush()
    }
}

private fun load(bytes: ByteBuffer) = HostEngineFactory().open(bytes, numThreads = 1).close()

private fun run(bytes: ByteBuffer) {
    val model = ModelReader.read(bytes, "x.tflite")
    HostEngineFactory().open(model.bytes, numThreads = 1).use { engine ->
        val (input, output) = listOf(model.input, model.output).map { spec ->
            ByteBuffer.allocateDirect(spec.bytes).order(ByteOrder.nativeOrder())
        }
        for (index in 0 until input.capacity()) input.put(index, (index * 37).toByte())
        if (model.input.type == TensorType.FLOAT32) {
            for (index in 0 until model.input.elements) {
                input.putFloat(Float.SIZE_BYTES * index, index % 17 / 8f - 1)
            }
        }
        engine.run(input, output)
    }
}
