package org.cnnkeras.demo

import java.io.Closeable
import org.cnnkeras.demo.engine.Engine
import org.cnnkeras.demo.engine.EngineTimes
import org.cnnkeras.demo.image.DecodedImage
import org.cnnkeras.demo.image.Pixels
import org.cnnkeras.demo.image.TensorCodec
import org.cnnkeras.demo.image.adaptGrayLevels
import org.cnnkeras.demo.image.cropAndResize
import org.cnnkeras.demo.image.normalize
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.Score
import org.cnnkeras.demo.model.topK

/**
 * A loaded network that classifies images. It is not thread-safe.
 *
 * @param engine loaded from the same file; [close] closes it
 * @param k the number of classes in [Classification.top]
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
     * Classifies one image.
     *
     * @param adaptsPhotos whether an image that is not a drawing gets the gray levels of the
     *     training images, see [adaptGrayLevels]
     * @param decode decodes the image; a function, so that its time is measured too
     * @throws org.cnnkeras.demo.image.ImageException if [decode] throws it
     * @throws org.cnnkeras.demo.engine.EngineException if an operation fails
     */
    fun classify(adaptsPhotos: Boolean = false, decode: () -> DecodedImage): Classification {
        val stopwatch = Stopwatch()
        val decoded = decode()
        val decodeNanos = stopwatch.lap()
        val resized = cropAndResize(decoded.image, decoded.orientation, model.preprocessing)
        val isAdapted = adaptsPhotos && !decoded.isDrawing
        val pixels = if (isAdapted) adaptGrayLevels(resized, model.preprocessing) else resized
        val resizeNanos = stopwatch.lap()
        val values = normalize(pixels, model.preprocessing)
        val normalizeNanos = stopwatch.lap()
        inputCodec.write(values, input)
        val quantizeNanos = stopwatch.lap()
        val engineTimes: EngineTimes = engine.run(input, output)
        stopwatch.lap()
        val probabilities = outputCodec.read(output)
        val dequantizeNanos = stopwatch.lap()
        val top = topK(probabilities, model.labels, k)
        val topKNanos = stopwatch.lap()
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
 * The result of a classification.
 *
 * @property top the most probable classes, in descending order
 * @property probabilities the probability of each class
 * @property pixels the network input, before normalization
 */
class Classification(
    val top: List<Score>,
    val probabilities: FloatArray,
    val pixels: Pixels,
    val times: StageTimes,
)

/** Durations of the stages of a classification, in nanoseconds. */
data class StageTimes(
    val decode: Long,
    val resize: Long,
    val normalize: Long,
    val quantizeAndCopyIn: Long,
    val invoke: Long,
    val copyOut: Long,
    val topK: Long,
) {
    /** The sum of all stages. */
    val total: Long
        get() = decode + resize + normalize + quantizeAndCopyIn + invoke + copyOut + topK
}

/** Measures laps: [lap] returns the nanoseconds since the previous call. */
private class Stopwatch {
    private var last = System.nanoTime()

    fun lap(): Long {
        val now = System.nanoTime()
        return (now - last).also { last = now }
    }
}
