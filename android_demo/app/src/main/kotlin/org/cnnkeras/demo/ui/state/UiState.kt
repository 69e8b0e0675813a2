package org.cnnkeras.demo.ui.state

import org.cnnkeras.demo.Classification
import org.cnnkeras.demo.benchmark.BenchmarkProgress
import org.cnnkeras.demo.image.DecodedImage
import org.cnnkeras.demo.model.ModelFile

/** The state of the app. [StateHolder] creates the states, and activities render them. */
sealed interface UiState {
    /** The state to return to after an error, a dismissed message or a cancelled job. */
    val settled: Settled

    /** A state that lasts until the user does something. */
    sealed interface Settled : UiState {
        override val settled: Settled get() = this

        /** The open model; null if there is none. */
        val openModel: OpenModel?
    }

    /** No model is open. */
    data object Closed : Settled {
        override val openModel: OpenModel? get() = null
    }

    /** A model is open and has no image yet. */
    data class Ready(override val openModel: OpenModel) : Settled

    /** A model has classified an image. */
    data class Classified(
        override val openModel: OpenModel,
        val source: ImageSource,
        val classification: Classification,
    ) : Settled

    /** The app reads a model file; [name] is its name, or null if that is not known yet. */
    data class Opening(val name: String?, override val settled: Settled) : UiState

    /** The app classifies an image. */
    data class Classifying(override val settled: Settled) : UiState

    /** A benchmark runs; [progress] is null during the warm-up. */
    data class Benchmarking(
        val progress: BenchmarkProgress?,
        override val settled: Settled,
    ) : UiState

    /** A benchmark has a result. */
    data class Benchmarked(val result: BenchmarkResult, override val settled: Settled) : UiState

    /** An action has failed and changed nothing; [message] is one sentence. */
    data class Failed(val message: String, override val settled: Settled) : UiState
}

/** A model that is loaded with a number of threads. */
data class OpenModel(val entry: ModelEntry, val model: ModelFile, val numThreads: Int)

/** An image to classify. It may depend on the model, as the line width of a drawing does. */
fun interface ImageSource {
    /**
     * Decodes or renders the image.
     *
     * @throws org.cnnkeras.demo.image.ImageException if it cannot be read
     */
    fun decode(model: ModelFile): DecodedImage
}
