package org.cnnkeras.demo.benchmark

import java.nio.ByteBuffer
import java.util.Random
import java.util.concurrent.CancellationException
import kotlin.math.max
import kotlin.math.min
import org.cnnkeras.demo.engine.Engine
import org.cnnkeras.demo.engine.EngineFactory
import org.cnnkeras.demo.engine.InferenceRuntime
import org.cnnkeras.demo.image.TensorCodec
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.TensorType

/**
 * The settings of a benchmark; the defaults are those of `cnn-keras benchmark` and of LiteRT's
 * `benchmark_model`.
 *
 * @property warmupSecs duration of the warm-up runs, which are not timed
 * @property minRuns minimum number of timed runs
 * @property minSecs minimum duration of the timed runs
 * @property maxSecs duration after which the benchmark stops even if [minRuns] is not reached
 */
data class BenchmarkSettings(
    val numThreads: Int = 1,
    val warmupSecs: Double = 0.5,
    val minRuns: Int = 50,
    val minSecs: Double = 1.0,
    val maxSecs: Double = 150.0,
)

/**
 * Images that a benchmark runs.
 *
 * @property kind what they are, as in a row: `"validation"` or `"random"`
 * @property tensors one input tensor for each image, in direct buffers of native order
 * @property check receives the raw outputs of all images, one after the other, before any run is
 *     timed, and throws a [DigestException] if they are wrong
 */
class BenchmarkImages(
    val kind: String,
    val tensors: List<ByteBuffer>,
    val check: (ByteArray) -> Digest,
)

/** The progress of a benchmark: [fraction] of the timed part, from 0 to 1, and timed [runs]. */
data class BenchmarkProgress(val fraction: Double, val runs: Int)

/**
 * The measurements of a benchmark. Durations are in ms, without the timer overhead; an array has one
 * for each run, in order.
 *
 * @property runtime the runtime that ran the model
 * @property inputs what the images are: `"validation"` or `"random"`
 * @property digest how the outputs compare with those on the computer; null without images
 * @property threadsUsed threads that run the model; null if the phone does not report them
 * @property loadMs time to create the engine
 * @property firstMs time of the first inference
 * @property quantizeMs times to quantize one image, for several images; null for a float input
 * @property timerOverheadNanos the overhead that is subtracted from each duration
 * @property before memory before the engine is created
 * @property afterFirst memory after the first inference
 */
class Measurement(
    val settings: BenchmarkSettings,
    val runtime: InferenceRuntime,
    val inputs: String,
    val digest: Digest?,
    val threadsUsed: Int?,
    val loadMs: Double,
    val firstMs: Double,
    val copyInMs: DoubleArray,
    val latencyMs: DoubleArray,
    val copyOutMs: DoubleArray,
    val quantizeMs: DoubleArray?,
    val timerOverheadNanos: Double,
    val before: ProcessMemory?,
    val afterFirst: ProcessMemory?,
)

/**
 * Benchmarks a network with the definitions of `export/benchmark/runner.py`:
 *
 * - *Latency* is the time of the inference alone. Copying the input and the output is timed
 *   separately. The runs follow each other without a pause, as in a video stream, because worker
 *   threads go to sleep during a pause.
 * - The *warm-up* lasts [BenchmarkSettings.warmupSecs]. The timed runs end when both
 *   [BenchmarkSettings.minSecs] and [BenchmarkSettings.minRuns] are reached, or after
 *   [BenchmarkSettings.maxSecs].
 * - The overhead of the timer is measured and subtracted.
 * - Without [images], uniform noise in [-1, 1) from a fixed seed is used.
 */
class Benchmark(
    private val model: ModelFile,
    private val factory: EngineFactory,
    private val settings: BenchmarkSettings,
    private val images: BenchmarkImages? = null,
) {
    private val codec = TensorCodec(model.input)

    /**
     * Runs the benchmark.
     *
     * @param isCancelled called between runs, on this thread
     * @param onProgress called about ten times a second, between runs, on this thread
     * @throws CancellationException if [isCancelled] returns true
     * @throws DigestException if the outputs are not those on the computer; nothing is timed then
     * @throws org.cnnkeras.demo.engine.EngineException if the model does not load or does not run
     */
    fun run(
        isCancelled: () -> Boolean = { false },
        onProgress: (BenchmarkProgress) -> Unit = {},
    ): Measurement {
        val noise = noise()
        val before = ProcessMemory.now()
        val threadsBefore = threadsWithThisName()
        val start = System.nanoTime()
        factory.open(model.bytes, settings.numThreads).use { engine ->
            val loadNanos = System.nanoTime() - start
            val inputs = images?.tensors ?: noise.map(::encoded)
            val runner = Runner(engine, inputs, model.output.newBuffer(), isCancelled)
            val firstNanos = runner.runOnce()
            val afterFirst = ProcessMemory.now()
            val threadsAfter = threadsWithThisName()
            val digest = images?.check?.invoke(runner.outputs())
            val quantizeNanos = timeQuantize(noise)
            val overhead = timerOverheadNanos()
            runner.runUntil(1, settings.warmupSecs, settings.warmupSecs) {}
            runner.runUntil(LEAD_IN_RUNS, 0.0, settings.maxSecs) {}
            val samples = runner.runUntil(
                settings.minRuns,
                settings.minSecs,
                settings.maxSecs,
                onProgress,
            )
            return Measurement(
                settings = settings,
                runtime = factory.runtime,
                inputs = images?.kind ?: "random",
                digest = digest,
                threadsUsed = threadsBefore?.let { threadsAfter?.minus(it)?.plus(1) },
                loadMs = loadNanos / NANOS_PER_MS,
                firstMs = firstNanos / NANOS_PER_MS,
                copyInMs = samples.copyIn.toMs(overhead),
                latencyMs = samples.invoke.toMs(overhead),
                copyOutMs = samples.copyOut.toMs(overhead),
                quantizeMs = quantizeNanos?.toMs(overhead),
                timerOverheadNanos = overhead,
                before = before,
                afterFirst = afterFirst,
            )
        }
    }

    /** Returns several images, so that consecutive runs differ. */
    private fun noise(): List<FloatArray> {
        val random = Random(0)
        return List(RANDOM_IMAGES) {
            FloatArray(model.input.elements) { random.nextFloat() * 2 - 1 }
        }
    }

    private fun encoded(image: FloatArray): ByteBuffer =
        model.input.newBuffer().also { codec.write(image, it) }

    /** Times the quantization of single images, separately from the runs to avoid pauses. */
    private fun timeQuantize(images: List<FloatArray>): LongArray? {
        if (model.input.type == TensorType.FLOAT32) return null
        val into = model.input.newBuffer()
        return LongArray(images.size) { index ->
            val start = System.nanoTime()
            codec.write(images[index], into)
            System.nanoTime() - start
        }
    }

    private fun LongArray.toMs(overhead: Double): DoubleArray =
        DoubleArray(size) { max(this[it] - overhead, 0.0) / NANOS_PER_MS }

    private companion object {
        const val RANDOM_IMAGES = 10
        const val LEAD_IN_RUNS = 3 // to warm up caches and worker threads
        const val NANOS_PER_MS = 1e6
    }
}

/** Durations of the stages of each run, in nanoseconds. */
private class Samples(val copyIn: LongArray, val invoke: LongArray, val copyOut: LongArray)

/** Runs an engine on the images in rotation. */
private class Runner(
    private val engine: Engine,
    private val inputs: List<ByteBuffer>,
    private val output: ByteBuffer,
    private val isCancelled: () -> Boolean,
) {
    /** Runs the first image and returns the nanoseconds of its inference. */
    fun runOnce(): Long = engine.run(inputs[0], output).invokeNanos

    /** Runs each image once and returns the raw outputs, one after the other. */
    fun outputs(): ByteArray {
        val size = output.capacity()
        val all = ByteArray(inputs.size * size)
        for ((index, input) in inputs.withIndex()) {
            if (isCancelled()) throw CancellationException("The benchmark is cancelled")
            engine.run(input, output)
            output.rewind()
            output.get(all, index * size, size)
        }
        return all
    }

    /** Runs until both [minRuns] and [minSecs] are reached, or for [maxSecs]. */
    fun runUntil(
        minRuns: Int,
        minSecs: Double,
        maxSecs: Double,
        onProgress: (BenchmarkProgress) -> Unit,
    ): Samples {
        var samples = List(STAGES) { LongArray(FIRST_CAPACITY) }
        var runs = 0
        val start = System.nanoTime()
        var lastProgress = start
        while (true) {
            if (isCancelled()) throw CancellationException("The benchmark is cancelled")
            val times = engine.run(inputs[runs % inputs.size], output)
            if (runs == samples[0].size) samples = samples.map { it.copyOf(2 * runs) }
            samples[0][runs] = times.copyInNanos
            samples[1][runs] = times.invokeNanos
            samples[2][runs] = times.copyOutNanos
            runs++
            val now = System.nanoTime()
            val secs = (now - start) / 1e9
            if (secs >= maxSecs || (secs >= minSecs && runs >= minRuns)) {
                val (copyIn, invoke, copyOut) = samples.map { it.copyOf(runs) }
                onProgress(BenchmarkProgress(1.0, runs))
                return Samples(copyIn, invoke, copyOut)
            }
            if (now - lastProgress >= PROGRESS_NANOS) {
                lastProgress = now
                onProgress(BenchmarkProgress(fraction(secs, minSecs, runs, minRuns), runs))
            }
        }
    }

    private fun fraction(secs: Double, minSecs: Double, runs: Int, minRuns: Int): Double =
        min(1.0, min(secs / minSecs, runs.toDouble() / minRuns))

    private companion object {
        const val STAGES = 3
        const val FIRST_CAPACITY = 1024
        const val PROGRESS_NANOS = 100_000_000L
    }
}

/** Returns the median difference between two consecutive readings of the clock. */
private fun timerOverheadNanos(): Double {
    val samples = DoubleArray(1000) {
        val start = System.nanoTime()
        (System.nanoTime() - start).toDouble()
    }
    return percentile(samples, 50.0)
}
