package org.cnnkeras.demo.ui.state

import java.io.ByteArrayOutputStream
import java.io.File
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
import org.cnnkeras.demo.benchmark.BenchmarkImages
import org.cnnkeras.demo.benchmark.BenchmarkJob
import org.cnnkeras.demo.benchmark.BenchmarkRow
import org.cnnkeras.demo.benchmark.BenchmarkSettings
import org.cnnkeras.demo.benchmark.DigestException
import org.cnnkeras.demo.benchmark.JobException
import org.cnnkeras.demo.engine.EngineException
import org.cnnkeras.demo.engine.EngineFactory
import org.cnnkeras.demo.image.ImageDecoder
import org.cnnkeras.demo.image.ImageException
import org.cnnkeras.demo.model.ModelException
import org.cnnkeras.demo.model.ModelFile
import org.cnnkeras.demo.model.ModelReader

/**
 * Holds the [UiState] of the app and is the only class that changes it.
 *
 * It lives as long as the process, so a rotation does not change the state. Call its functions on
 * the main thread. They return immediately; the work runs on one background thread, in the order of
 * the calls. Only that thread uses the loaded network.
 *
 * @param main runs the state changes
 * @param background a single thread
 */
class StateHolder(
    private val models: ModelRepository,
    private val engines: EngineFactory,
    private val decoder: ImageDecoder,
    private val history: BenchmarkHistory,
    private val deviceReader: DeviceReader,
    private val main: Executor,
    private val background: Executor,
) {
    /** The current state. */
    var state: UiState = UiState.Closed
        private set(value) {
            field = value
            for (observer in observers.toList()) observer(value)
        }

    private val observers = mutableListOf<(UiState) -> Unit>()
    private var numScreens = 0

    // The background thread alone uses these: the network, its last image and the settled state.
    private var loaded: LoadedNetwork? = null
    private var lastSource: ImageSource? = null
    private var settled: UiState.Settled = UiState.Closed
    private var noModelReason = "Open a model first."

    // The newest image of a stream, until the background thread takes it.
    private val pendingSource = AtomicReference<ImageSource?>()

    @Volatile
    private var isBenchmarkCancelled = false

    /** Whether photos and camera images get the gray levels of the training images. */
    @Volatile
    var adaptsPhotos = false
        private set

    private class LoadedNetwork(val openModel: OpenModel, val classifier: Classifier)

    /** Returns the models that the user can choose. */
    fun entries(): List<ModelEntry> = models.entries()

    /** Finds a model by its file name, with or without `.tflite`. */
    fun find(name: String): ModelEntry? = models.find(name)

    /**
     * Calls an observer with the current state and with each later one.
     *
     * @return a function that removes the observer
     */
    fun observe(observer: (UiState) -> Unit): () -> Unit {
        observers += observer
        observer(state)
        return { observers -= observer }
    }

    /** Counts a screen. */
    fun onScreenCreated() {
        numScreens++
    }

    /** Closes the network with the last screen, unless the system creates that screen again. */
    fun onScreenDestroyed(isRecreated: Boolean) {
        numScreens--
        if (numScreens == 0 && !isRecreated) close()
    }

    /** Opens a model if none is open. */
    fun openIfNone(entry: ModelEntry, numThreads: Int) {
        background.execute {
            if (loaded != null) return@execute
            main.execute { state = UiState.Opening(entry.fileName, state.settled) }
            updateState {
                try {
                    classify(load(entry, numThreads))
                } catch (error: Exception) {
                    noModelReason = message(error) // also the message for a shared image
                    throw error
                }
            }
        }
    }

    /** Opens a model of the list and classifies the last image again. */
    fun open(entry: ModelEntry, numThreads: Int) {
        runInBackground(UiState.Opening(entry.fileName, state.settled)) {
            classify(load(entry, numThreads))
        }
    }

    /** Opens a file of another app and adds it to the list if it is a model. */
    fun open(file: ExternalFile, numThreads: Int) {
        runInBackground(UiState.Opening(null, state.settled)) {
            classify(models.add(file) { entry, bytes -> load(entry, bytes, numThreads) })
        }
    }

    /** Removes an opened model from the list and opens the first model that remains. */
    fun remove(entry: ModelEntry, numThreads: Int) {
        models.remove(entry)
        models.entries().firstOrNull()?.let { open(it, numThreads) }
    }

    /** Changes [adaptsPhotos] and classifies the last image again. */
    fun setAdaptsPhotos(isOn: Boolean) {
        adaptsPhotos = isOn
        background.execute { updateState { loaded?.let(::classify) ?: settled } }
    }

    /** Classifies an image file. */
    fun classify(file: ExternalFile) {
        runInBackground(UiState.Classifying(state.settled)) {
            val bytes = file.open().use(::read)
            classify(loadedOrThrow()) { decoder.decode(bytes) }
        }
    }

    /** Whether an image of the stream is pending; the camera then skips the next one. */
    val isImagePending: Boolean get() = pendingSource.get() != null

    /** Classifies the newest image of a stream and skips the ones that came before it. */
    fun classifyLatest(source: ImageSource) {
        if (pendingSource.getAndSet(source) != null) return
        background.execute {
            pendingSource.getAndSet(null)?.let { latest ->
                updateState { classify(loadedOrThrow(), latest) }
            }
        }
    }

    /** Discards the image. */
    fun clearImage() {
        pendingSource.set(null)
        background.execute {
            lastSource = null
            updateState { loaded?.let(::classify) ?: UiState.Closed }
        }
    }

    /** Benchmarks a model for [seconds] and adds the result to the history. */
    fun runBenchmark(entry: ModelEntry, numThreads: Int, seconds: Double) {
        isBenchmarkCancelled = false
        runInBackground(UiState.Benchmarking(null, state.settled)) {
            val openModel = load(entry, numThreads).openModel
            val settings = BenchmarkSettings(
                numThreads,
                minSecs = seconds,
                maxSecs = max(seconds, BenchmarkSettings().maxSecs),
            )
            val result = BenchmarkResult.parse(measure(openModel.model, settings, null).toJson())
            history.append(result.json)
            UiState.Benchmarked(result, classify(loadedOrThrow()))
        }
    }

    /**
     * Runs the benchmark that a computer has put into a folder, and writes the result there. Only
     * the network of the job is loaded meanwhile.
     */
    fun runJob(folder: File) {
        isBenchmarkCancelled = false
        runInBackground(UiState.Benchmarking(null, state.settled)) {
            try {
                BenchmarkJob.start(folder)
                closeNetwork()
                val job = BenchmarkJob(folder)
                val model = ModelReader.read(models.map(job.model), job.model.name)
                val row = measure(model, job.settings, job.images(model)).toJson()
                val result = BenchmarkResult.parse(row)
                history.append(row)
                BenchmarkJob.succeed(folder, row)
                UiState.Benchmarked(result, UiState.Closed)
            } catch (error: CancellationException) {
                BenchmarkJob.fail(folder, STOPPED)
                throw error
            } catch (error: Exception) {
                BenchmarkJob.fail(folder, message(error))
                throw error
            } catch (error: OutOfMemoryError) {
                BenchmarkJob.fail(folder, OUT_OF_MEMORY)
                throw error
            }
        }
    }

    /** Stops a running benchmark, which then has no result. */
    fun stopBenchmark() {
        isBenchmarkCancelled = true
    }

    /** Reads the latest benchmark results and passes them to [onLoaded] on the main thread. */
    fun loadHistory(onLoaded: (List<BenchmarkResult>) -> Unit) {
        background.execute {
            val results = history.latest(HISTORY_SIZE)
            main.execute { onLoaded(results) }
        }
    }

    /** Shows an error, after the work that is queued. */
    fun reportError(message: String) {
        background.execute { updateState { UiState.Failed(message, settled) } }
    }

    /** Returns from an error or a benchmark result to the settled state. */
    fun dismissMessage() {
        state = state.settled
    }

    private fun close() {
        isBenchmarkCancelled = true
        background.execute {
            closeNetwork()
            main.execute { state = UiState.Closed }
        }
    }

    private fun closeNetwork() {
        loaded?.classifier?.close()
        loaded = null
        lastSource = null
        settled = UiState.Closed
    }

    /** Sets a temporary state and runs a job that returns the next one. */
    private fun runInBackground(meanwhile: UiState, job: () -> UiState) {
        state = meanwhile
        background.execute { updateState(job) }
    }

    private fun updateState(job: () -> UiState) {
        val next = try {
            job()
        } catch (_: CancellationException) {
            settled
        } catch (error: Exception) {
            UiState.Failed(message(error), settled)
        } catch (_: OutOfMemoryError) {
            UiState.Failed(OUT_OF_MEMORY, settled)
        }
        main.execute { state = next }
    }

    /** Returns the message of an expected error; rethrows any other, which is a bug of the app. */
    private fun message(error: Exception): String = when (error) {
        is ModelException, is EngineException, is ImageException -> error.message!!
        is JobException, is DigestException -> error.message!!
        is IOException -> "The file cannot be read; it may be gone, or the phone may be full."
        else -> throw error
    }

    /** Loads a model, unless it is loaded already. */
    private fun load(entry: ModelEntry, numThreads: Int): LoadedNetwork {
        val current = loaded
        if (current?.openModel?.entry != entry) return load(entry, models.read(entry), numThreads)
        if (current.openModel.numThreads == numThreads) return current
        return load(entry, current.openModel.model, numThreads)
    }

    private fun load(entry: ModelEntry, bytes: ByteBuffer, numThreads: Int): LoadedNetwork =
        load(entry, ModelReader.read(bytes, entry.fileName), numThreads)

    /** Loads a model and then closes the previous one, which stays if loading fails. */
    private fun load(entry: ModelEntry, model: ModelFile, numThreads: Int): LoadedNetwork {
        val classifier = Classifier(model, engines.open(model.bytes, numThreads))
        loaded?.classifier?.close()
        return LoadedNetwork(OpenModel(entry, model, numThreads), classifier).also {
            loaded = it
            settled = UiState.Ready(it.openModel)
        }
    }

    private fun loadedOrThrow(): LoadedNetwork = loaded ?: throw ModelException(noModelReason)

    /** Classifies an image: by default the last one, if there is one. */
    private fun classify(
        network: LoadedNetwork,
        source: ImageSource? = lastSource,
    ): UiState.Settled {
        val openModel = network.openModel
        val next = if (source == null) UiState.Ready(openModel) else {
            val classification = network.classifier.classify(adaptsPhotos) {
                source.decode(openModel.model)
            }
            UiState.Classified(openModel, source, classification)
        }
        lastSource = source
        settled = next
        return next
    }

    private fun measure(
        model: ModelFile,
        settings: BenchmarkSettings,
        images: BenchmarkImages?,
    ): BenchmarkRow {
        val device = deviceReader.device() // with the load average before the benchmark
        val before = deviceReader.state()
        val benchmark = Benchmark(model, engines, settings, images)
        val measurement = benchmark.run({ isBenchmarkCancelled }) { progress ->
            main.execute {
                val current = state
                if (current is UiState.Benchmarking) state = current.copy(progress = progress)
            }
        }
        return BenchmarkRow(
            Instant.now(),
            model,
            measurement,
            device,
            before,
            deviceReader.state(),
            deviceReader.versions,
        )
    }

    private fun read(from: InputStream): ByteArray {
        val bytes = ByteArrayOutputStream()
        val chunk = ByteArray(CHUNK_BYTES)
        while (true) {
            val count = from.read(chunk)
            if (count < 0) return bytes.toByteArray()
            bytes.write(chunk, 0, count)
            if (bytes.size() > MAX_IMAGE_BYTES) throw ImageException("The image file is too large.")
        }
    }

    private companion object {
        const val HISTORY_SIZE = 20
        const val CHUNK_BYTES = 1 shl 16
        const val STOPPED =
            "The benchmark was stopped: unlock the phone, and keep the app in the foreground."
        const val OUT_OF_MEMORY = "The phone has too little memory for this."

        /** Larger than a JPEG file of 64 million pixels, the most that the app decodes. */
        const val MAX_IMAGE_BYTES = 100_000_000
    }
}
