package org.cnnkeras.demo.ui.state

import java.io.ByteArrayOutputStream
import java.io.IOException
import java.io.InputStream
import java.nio.ByteBuffer
import java.time.Instant
import java.util.concurrent.CancellationException
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicReference
import kotlin.math.max
import org.cnnkeras.demo.Classifier
import org.cnnkeras.demo.benchmark.Benchmark
import org.cnnkeras.demo.benchmark.BenchmarkRow
import org.cnnkeras.demo.benchmark.BenchmarkSettings
import org.cnnkeras.demo.engine.EngineException
import org.cnnkeras.demo.engine.EngineFactory
import org.cnnkeras.demo.image.Decoder
import org.cnnkeras.demo.image.ImageException
import org.cnnkeras.demo.model.ModelException
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.ModelReader

/**
 * The one place that changes the app's [State].
 *
 * It outlives activities, so a rotation changes nothing. Its functions are called on the main
 * thread and return at once; the work is done in the background, one thing after the other, by the
 * only thread that touches the loaded network.
 *
 * @param main runs what changes the state
 * @param background a single thread
 */
class Store(
    private val shelf: ModelShelf,
    private val engines: EngineFactory,
    private val decoder: Decoder,
    private val ledger: Ledger,
    private val phone: Phone,
    private val main: Executor,
    private val background: Executor,
) {
    /** What the app shows now. */
    var state: State = State.Closed
        private set(value) {
            field = value
            for (observer in observers.toList()) observer(value)
        }

    private val observers = mutableListOf<(State) -> Unit>()
    private var screens = 0

    // Of the background thread alone: the network, what it saw last, and what is true of both.
    private var loaded: Loaded? = null
    private var scene: Scene? = null
    private var settled: State.Settled = State.Closed
    private var whyNone = "Open a model first."

    // The newest image of a stream that was not taken yet.
    private val waiting = AtomicReference<Scene?>()

    @Volatile
    private var cancelled = false

    private class Loaded(val open: OpenModel, val classifier: Classifier)

    /** The models that can be chosen. */
    fun entries(): List<ModelEntry> = shelf.entries()

    /** Finds a model by its file's name, with or without `.tflite`. */
    fun find(name: String): ModelEntry? = shelf.find(name)

    /** Tells an observer the state, and each one that follows, until the result is called. */
    fun observe(observer: (State) -> Unit): () -> Unit {
        observers += observer
        observer(state)
        return { observers -= observer }
    }

    /** A screen was created. */
    fun enter() {
        screens++
    }

    /** A screen was destroyed; with the last one the network goes, unless another follows. */
    fun leave(anotherFollows: Boolean) {
        screens--
        if (screens == 0 && !anotherFollows) close()
    }

    /** Opens a model if none is open. */
    fun wake(entry: ModelEntry, numThreads: Int) {
        background.execute {
            if (loaded != null) return@execute
            main.execute { state = State.Opening(entry.fileName, state.settled) }
            finish {
                try {
                    see(bring(entry, numThreads))
                } catch (error: Exception) {
                    whyNone = sentence(error) // also for a shared image, which comes next
                    throw error
                }
            }
        }
    }

    /** Opens a model from the shelf and shows it the image that the one before saw. */
    fun open(entry: ModelEntry, numThreads: Int) {
        work(State.Opening(entry.fileName, state.settled)) { see(bring(entry, numThreads)) }
    }

    /** Opens a file of another app, and keeps it if it is a model. */
    fun open(source: Source, numThreads: Int) {
        work(State.Opening(null, state.settled)) {
            see(shelf.add(source) { entry, bytes -> load(entry, bytes, numThreads) })
        }
    }

    /** Removes an opened model from the shelf and opens another one. */
    fun remove(entry: ModelEntry, numThreads: Int) {
        shelf.remove(entry)
        shelf.entries().firstOrNull()?.let { open(it, numThreads) }
    }

    /** Classifies an image file. */
    fun show(source: Source) {
        work(State.Classifying(state.settled)) {
            val bytes = source.open().use(::read)
            see(loadedOrThrow()) { decoder.decode(bytes) }
        }
    }

    /** Whether an image of the stream waits; a camera need not copy the next one. */
    val isBehind: Boolean get() = waiting.get() != null

    /** Classifies the newest image of a stream; those that came meanwhile are skipped. */
    fun stream(scene: Scene) {
        if (waiting.getAndSet(scene) != null) return
        background.execute {
            waiting.getAndSet(null)?.let { next ->
                finish { see(loadedOrThrow(), next) }
            }
        }
    }

    /** Forgets the image. */
    fun clear() {
        waiting.set(null)
        background.execute {
            scene = null
            finish { loaded?.let(::see) ?: State.Closed }
        }
    }

    /** Measures a model for [seconds], and keeps the row. */
    fun measure(entry: ModelEntry, numThreads: Int, seconds: Double) {
        cancelled = false
        work(State.Measuring(null, state.settled)) {
            val open = bring(entry, numThreads).open
            val settings = BenchmarkSettings(
                numThreads,
                minSecs = seconds,
                maxSecs = max(seconds, BenchmarkSettings().maxSecs),
            )
            val record = Record.parse(measured(open, settings).toJson())
            ledger.append(record.line)
            State.Measured(record, see(loadedOrThrow()))
        }
    }

    /** Ends a running benchmark without a result. */
    fun stopMeasuring() {
        cancelled = true
    }

    /** Reads the last benchmarks and passes them on. */
    fun history(show: (List<Record>) -> Unit) {
        background.execute {
            val records = ledger.last(HISTORY)
            main.execute { show(records) }
        }
    }

    /** Says that something outside did not work. */
    fun fail(problem: String) {
        background.execute { finish { State.Failed(problem, settled) } } // after what is under way
    }

    /** Goes back from what failed, or a benchmark's result. */
    fun dismiss() {
        state = state.settled
    }

    private fun close() {
        cancelled = true
        background.execute {
            loaded?.classifier?.close()
            loaded = null
            scene = null
            settled = State.Closed
            main.execute { state = State.Closed }
        }
    }

    /** Shows that something is done, and does it. */
    private fun work(meanwhile: State, job: () -> State) {
        state = meanwhile
        background.execute { finish(job) }
    }

    private fun finish(job: () -> State) {
        val next = try {
            job()
        } catch (_: CancellationException) {
            settled
        } catch (error: Exception) {
            State.Failed(sentence(error), settled)
        } catch (_: OutOfMemoryError) {
            State.Failed("The phone has too little memory for this.", settled)
        }
        main.execute { state = next }
    }

    /** What is the user's to mend has a sentence; any other error is the app's own. */
    private fun sentence(error: Exception): String = when (error) {
        is ModelException, is EngineException, is ImageException -> error.message!!
        is IOException -> "The file cannot be read; it may be gone, or the phone may be full."
        else -> throw error
    }

    /** Loads a model, unless it is the loaded one. */
    private fun bring(entry: ModelEntry, numThreads: Int): Loaded {
        val now = loaded
        if (now?.open?.entry != entry) return load(entry, shelf.read(entry), numThreads)
        if (now.open.numThreads == numThreads) return now
        return load(entry, now.open.model, numThreads)
    }

    private fun load(entry: ModelEntry, bytes: ByteBuffer, numThreads: Int): Loaded =
        load(entry, ModelReader.read(bytes, entry.fileName), numThreads)

    /** Loads a model, and only then lets go of the one before. */
    private fun load(entry: ModelEntry, model: ModelFile, numThreads: Int): Loaded {
        val classifier = Classifier(model, engines.open(model.bytes, numThreads))
        loaded?.classifier?.close()
        return Loaded(OpenModel(entry, model, numThreads), classifier).also {
            loaded = it
            settled = State.Ready(it.open)
        }
    }

    private fun loadedOrThrow(): Loaded = loaded ?: throw ModelException(whyNone)

    /** Shows the network an image: by default the one that was shown last, if any. */
    private fun see(loaded: Loaded, image: Scene? = scene): State.Settled {
        val next = if (image == null) State.Ready(loaded.open) else {
            val seen = loaded.classifier.classify { image.decode(loaded.open.model) }
            State.Classified(loaded.open, image, seen)
        }
        scene = image
        settled = next
        return next
    }

    private fun measured(open: OpenModel, settings: BenchmarkSettings): BenchmarkRow {
        val device = phone.device() // also how busy it was before
        val before = phone.state()
        val measurement = Benchmark(open.model, engines, settings).run({ cancelled }) { progress ->
            main.execute {
                val now = state
                if (now is State.Measuring) state = now.copy(progress = progress)
            }
        }
        return BenchmarkRow(
            Instant.now(),
            open.model,
            measurement,
            device,
            before,
            phone.state(),
            phone.versions,
        )
    }

    private fun read(from: InputStream): ByteArray {
        val bytes = ByteArrayOutputStream()
        val chunk = ByteArray(CHUNK)
        while (true) {
            val count = from.read(chunk)
            if (count < 0) return bytes.toByteArray()
            bytes.write(chunk, 0, count)
            if (bytes.size() > MAX_IMAGE_BYTES) throw ImageException("The image file is too large.")
        }
    }

    private companion object {
        const val HISTORY = 20
        const val CHUNK = 1 shl 16

        /** A JPEG of 64 million pixels, the most that are decoded, has less. */
        const val MAX_IMAGE_BYTES = 100_000_000
    }
}
