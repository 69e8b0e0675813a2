package org.cnnkeras.demo.engine

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicReference
import kotlin.concurrent.thread
import org.cnnkeras.demo.benchmark.threadsWithThisName
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Runs the models of the app with LiteRT; ParityTest compares the results with Python. */
class HostEngineTest {
    private val factory = HostEngineFactory()

    @Test
    fun probabilitiesSumToOne() {
        for (file in listOf(FLOAT, INTEGER)) {
            assertEquals(file, 1f, classify(file, bar()).sum(), 0.01f)
        }
    }

    @Test
    fun floatAndInt8ModelsAgree() {
        val float = classify(FLOAT, bar())
        val integer = classify(INTEGER, bar())
        // `cnn-keras export` printed differences of up to 0.2, for the validation images of MNIST.
        for (index in float.indices) assertEquals(float[index], integer[index], 0.05f)
        assertFalse("No weight was quantized", float.contentEquals(integer))
    }

    @Test
    fun outputDependsOnTheInputOnly() {
        factory.open(model(FLOAT), numThreads = 2).use { engine ->
            val first = run(engine, bar())
            val other = run(engine, FloatArray(INPUTS))
            assertFalse(first.contentEquals(other))
            assertArrayEquals(first, run(engine, bar()), 0f)
        }
    }

    @Test
    fun everyStageIsTimed() {
        factory.open(model(FLOAT), numThreads = 1).use { engine ->
            val times = engine.run(floats(bar()), bytes(OUTPUTS * Float.SIZE_BYTES))
            assertTrue("$times", times.copyInNanos > 0)
            assertTrue("$times", times.invokeNanos > 0)
            assertTrue("$times", times.copyOutNanos > 0)
        }
    }

    /** XNNPACK's pool has one thread less than requested, because the caller works too. */
    @Test
    fun runtimeUsesTheNumberOfThreads() = onOwnThread("pool owner") {
        factory.open(model(FLOAT), numThreads = 1).use { assertEquals(1, threadsWithThisName()) }
        factory.open(model(FLOAT), numThreads = 4).use { assertEquals(4, threadsWithThisName()) }
        // The kernel may list a thread for a moment after its end.
        val deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10)
        while (threadsWithThisName() != 1 && System.nanoTime() < deadline) Thread.sleep(1)
        assertEquals("Threads after close", 1, threadsWithThisName())
    }

    @Test
    fun invalidFileIsRejectedInOneSentence() {
        val noise = bytes(1000)
        val failure = assertThrows(EngineException::class.java) { factory.open(noise, 1) }
        assertTrue(failure.message!!, failure.message!!.endsWith("."))
        assertFalse(failure.message!!.contains('\n'))
    }

    @Test
    fun bufferOfTheWrongSizeIsRejected() {
        factory.open(model(FLOAT), numThreads = 1).use { engine ->
            val failure = assertThrows(EngineException::class.java) {
                engine.run(bytes(4), bytes(OUTPUTS * Float.SIZE_BYTES))
            }
            assertEquals("The input has 4096 bytes in the file, not 4.", failure.message)
        }
    }

    private fun classify(file: String, image: FloatArray): FloatArray =
        factory.open(model(file), numThreads = 1).use { run(it, image) }

    private fun run(engine: Engine, image: FloatArray): FloatArray {
        val output = bytes(OUTPUTS * Float.SIZE_BYTES)
        engine.run(floats(image), output)
        return FloatArray(OUTPUTS) { output.getFloat(it * Float.SIZE_BYTES) }
    }

    /** A white vertical bar on black, normalized as MNIST is. */
    private fun bar() =
        FloatArray(INPUTS) { if (it % SIDE in 14..17 && it / SIDE in 4..27) 2.82f else -0.42f }

    private fun floats(values: FloatArray): ByteBuffer =
        bytes(values.size * Float.SIZE_BYTES).also { it.asFloatBuffer().put(values) }

    private fun bytes(size: Int): ByteBuffer =
        ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

    private fun model(file: String): ByteBuffer {
        val content = File("src/main/assets/models", file).readBytes()
        return bytes(content.size).also { it.put(content).rewind() }
    }

    /** Runs a test on a thread whose name only the threads that it starts have, too. */
    private fun onOwnThread(name: String, test: () -> Unit) {
        val failure = AtomicReference<Throwable>()
        thread(name = name) { runCatching(test).onFailure(failure::set) }.join()
        failure.get()?.let { throw it }
    }

    private companion object {
        const val FLOAT = "lenet5_mnist_float32.tflite"
        const val INTEGER = "lenet5_mnist_static_wi8_ai8.tflite"
        const val SIDE = 32
        const val INPUTS = SIDE * SIDE
        const val OUTPUTS = 10
    }
}
