package org.cnnkeras.demo.benchmark

import java.nio.ByteBuffer
import java.util.Random
import java.util.concurrent.CancellationException
import kotlin.math.max
import kotlin.math.min
import org.cnnkeras.demo.engine.Engine
import org.cnnkeras.demo.engine.EngineFactory
import org.cnnkeras.demo.image.TensorCodec
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.TensorType

/**
 * How long to measure; the defaults are those of `cnn-keras benchmark` and LiteRT's
 * `benchmark_model`.
 *
 * @property warmupSecs seconds of runs that are not timed
 * @property minRuns timed runs at least
 * @property minSecs seconds of timed runs at least
 * @property maxSecs seconds after which it ends even if [minRuns] is not reached
 */
data class BenchmarkSettings(
    val numThreads: Int = 1,
    val warmupSecs: Double = 0.5,
    val minRuns: Int = 50,
    val minSecs: Double = 1.0,
    val maxSecs: Double = 150.0,
)

/** How far a benchmark is: [fraction] of the timed part, from 0 to 1, and the timed [runs]. */
data class Progress(val fraction: Double, val runs: Int)

/**
 * What was measured. Times of a run are in ms, less what reading the clock costs, in the order of
 * the runs.
 *
 * @property loadMs creating the engine
 * @property firstMs the first inference
 * @property quantizeMs converting one image to the input's integers; null for float inputs
 * @property timerOverheadNanos what was subtracted
 * @property before memory before the engine was created
 * @property afterFirst memory after the first inference
 */
class Measurement(
    val settings: BenchmarkSettings,
    val loadMs: Double,
    val firstMs: Double,
    val copyInMs: DoubleArray,
    val latencyMs: DoubleArray,
    val copyOutMs: DoubleArray,
    val quantizeMs: DoubleArray?,
    val timerOverheadNanos: Double,
    val before: Memory?,
    val afterFirst: Memory?,
)

/**
 * Measures a network by the definitions of `export/benchmark/runner.py`:
 *
 * - *latency* is the inference alone, with the image in place; copying in and out is timed apart.
 *   Back to back, as in a video stream: a pause would let the worker threads fall asleep;
 * - *warm-up* lasts [BenchmarkSettings.warmupSecs]; the timed runs end when both
 *   [BenchmarkSettings.minSecs] and [BenchmarkSettings.minRuns] are reached, or
 *   [BenchmarkSettings.maxSecs];
 * - what reading the clock costs is measured and subtracted;
 * - the images are seeded uniform noise in [-1, 1).
 */
class Benchmark(
    private val model: ModelFile,
    private val factory: EngineFactory,
    private val settings: BenchmarkSettings,
) {
    private val codec = TensorCodec(model.input)

    /**
     * Measures; takes as long as the settings say.
     *
     * @param isCancelled asked between runs, from this thread
     * @param onProgress told some ten times a second, between runs, from this thread
     * @throws CancellationException as soon as [isCancelled] says so
     * @throws org.cnnkeras.demo.engine.EngineException if the file does not load or does not run
     */
    fun run(
        isCancelled: () -> Boolean = { false },
        onProgress: (Progress) -> Unit = {},
    ): Measurement {
        val images = noise()
        val before = Memory.now()
        val start = System.nanoTime()
        factory.open(model.bytes, settings.numThreads).use { engine ->
            val loadNanos = System.nanoTime() - start
            val runs = Runs(engine, images.map(::encoded), model.output.newBuffer(), isCancelled)
            val firstNanos = runs.once()
            val afterFirst = Memory.now()
            val quantizeNanos = timeQuantize(images)
            val overhead = timerOverheadNanos()
            runs.until(1, settings.warmupSecs, settings.warmupSecs) {}
            runs.until(LEAD_IN_RUNS, 0.0, settings.maxSecs) {}
            val samples = runs.until(
                settings.minRuns,
                settings.minSecs,
                settings.maxSecs,
                onProgress,
            )
            return Measurement(
                settings = settings,
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

    /** Different images, so that no run repeats the one before it. */
    private fun noise(): List<FloatArray> {
        val random = Random(0)
        return List(RANDOM_IMAGES) {
            FloatArray(model.input.elements) { random.nextFloat() * 2 - 1 }
        }
    }

    private fun encoded(image: FloatArray): ByteBuffer =
        model.input.newBuffer().also { codec.write(image, it) }

    /** Times the conversion of single images, apart from the runs so as not to pause them. */
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
        const val LEAD_IN_RUNS = 3 // caches and worker threads wake up
        const val NANOS_PER_MS = 1e6
    }
}

/** Nanoseconds of the stages of each run. */
private class Samples(val copyIn: LongArray, val invoke: LongArray, val copyOut: LongArray)

/** Runs an engine on images in turn. */
private class Runs(
    private val engine: Engine,
    private val inputs: List<ByteBuffer>,
    private val output: ByteBuffer,
    private val isCancelled: () -> Boolean,
) {
    /** Runs the first image and returns the nanoseconds of its inference. */
    fun once(): Long = engine.run(inputs[0], output).invokeNanos

    /** Runs until [minRuns] and [minSecs] are reached, or [maxSecs]. */
    fun until(
        minRuns: Int,
        minSecs: Double,
        maxSecs: Double,
        onProgress: (Progress) -> Unit,
    ): Samples {
        var samples = List(STAGES) { LongArray(FIRST_CAPACITY) }
        var runs = 0
        val start = System.nanoTime()
        var told = start
        while (true) {
            if (isCancelled()) throw CancellationException("The benchmark was cancelled")
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
                onProgress(Progress(1.0, runs))
                return Samples(copyIn, invoke, copyOut)
            }
            if (now - told >= PROGRESS_NANOS) {
                told = now
                onProgress(Progress(fraction(secs, minSecs, runs, minRuns), runs))
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

/** The median difference between two readings of the clock with nothing between. */
private fun timerOverheadNanos(): Double {
    val samples = DoubleArray(1000) {
        val start = System.nanoTime()
        (System.nanoTime() - start).toDouble()
    }
    return percentile(samples, 50.0)
}
