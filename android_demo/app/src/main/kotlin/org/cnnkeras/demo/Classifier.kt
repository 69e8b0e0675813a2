package org.cnnkeras.demo

import java.io.Closeable
import org.cnnkeras.demo.engine.Engine
import org.cnnkeras.demo.engine.EngineTimes
import org.cnnkeras.demo.image.Decoded
import org.cnnkeras.demo.image.Pixels
import org.cnnkeras.demo.image.TensorCodec
import org.cnnkeras.demo.image.fit
import org.cnnkeras.demo.image.normalize
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.Score
import org.cnnkeras.demo.model.topK

/**
 * A loaded network: a picture in, classes out. To be used by one thread at a time.
 *
 * @param engine made of the same file; closed with the classifier
 * @param k how many classes are listed
 */
class Classifier(
    val model: ModelFile,
    private val engine: Engine,
    private val k: Int = 5,
) : Closeable {
    private val inputCodec = TensorCodec(model.input)
    private val outputCodec = TensorCodec(model.output)
    private val input = model.input.newBuffer()
    private val output = model.output.newBuffer()

    /**
     * Classifies one picture.
     *
     * @param decode makes the picture; passed as a function so that its time is taken too
     * @throws org.cnnkeras.demo.image.ImageException if [decode] does
     * @throws org.cnnkeras.demo.engine.EngineException if an operation fails
     */
    fun classify(decode: () -> Decoded): Classification {
        val clock = Laps()
        val decoded = decode()
        val decodeNanos = clock.lap()
        val pixels = fit(decoded.picture, decoded.orientation, model.preprocessing)
        val resizeNanos = clock.lap()
        val values = normalize(pixels, model.preprocessing)
        val normalizeNanos = clock.lap()
        inputCodec.write(values, input)
        val quantizeNanos = clock.lap()
        val engineTimes: EngineTimes = engine.run(input, output)
        clock.lap()
        val probabilities = outputCodec.read(output)
        val dequantizeNanos = clock.lap()
        val top = topK(probabilities, model.labels, k)
        val topKNanos = clock.lap()
        val times = StageTimes(
            decode = decodeNanos,
            resize = resizeNanos,
            normalize = normalizeNanos,
            quantizeAndCopyIn = quantizeNanos + engineTimes.copyInNanos,
            invoke = engineTimes.invokeNanos,
            copyOut = engineTimes.copyOutNanos + dequantizeNanos,
            topK = topKNanos,
        )
        return Classification(top, probabilities, pixels, times)
    }

    override fun close() = engine.close()
}

/**
 * What a network says about a picture.
 *
 * @property top the most probable classes, best first
 * @property probabilities of all classes
 * @property pixels the picture as the network saw it
 */
class Classification(
    val top: List<Score>,
    val probabilities: FloatArray,
    val pixels: Pixels,
    val times: StageTimes,
)

/** How long the stages of a classification took, in nanoseconds. */
data class StageTimes(
    val decode: Long,
    val resize: Long,
    val normalize: Long,
    val quantizeAndCopyIn: Long,
    val invoke: Long,
    val copyOut: Long,
    val topK: Long,
) {
    /** All of them together. */
    val total: Long
        get() = decode + resize + normalize + quantizeAndCopyIn + invoke + copyOut + topK
}

/** A clock that tells how long ago it was asked last. */
private class Laps {
    private var last = System.nanoTime()

    fun lap(): Long {
        val now = System.nanoTime()
        return (now - last).also { last = now }
    }
}
