package org.cnnkeras.demo.ui.state

import org.cnnkeras.demo.Classification
import org.cnnkeras.demo.benchmark.Progress
import org.cnnkeras.demo.image.Decoded
import org.cnnkeras.demo.model.ModelFile

/** What the app shows. Only [Store] makes the next one; activities draw it. */
sealed interface State {
    /** Where the app returns to when what it tries fails, or is dismissed. */
    val settled: Settled

    /** A state that lasts until the user does something. */
    sealed interface Settled : State {
        override val settled: Settled get() = this

        /** The open model; null if there is none. */
        val open: OpenModel?
    }

    /** No model is open. */
    data object Closed : Settled {
        override val open: OpenModel? get() = null
    }

    /** A model waits for an image. */
    data class Ready(override val open: OpenModel) : Settled

    /** A model has said what it sees. */
    data class Classified(
        override val open: OpenModel,
        val scene: Scene,
        val classification: Classification,
    ) : Settled

    /** A model file is read; [name] is its name, if that is known. */
    data class Opening(val name: String?, override val settled: Settled) : State

    /** An image is classified. */
    data class Classifying(override val settled: Settled) : State

    /** A benchmark runs; it warms up as long as there is no [progress]. */
    data class Measuring(val progress: Progress?, override val settled: Settled) : State

    /** A benchmark has ended. */
    data class Measured(val record: Record, override val settled: Settled) : State

    /** Something did not work: [problem] says what in one sentence, and nothing else changed. */
    data class Failed(val problem: String, override val settled: Settled) : State
}

/** A model that is loaded with a number of threads. */
data class OpenModel(val entry: ModelEntry, val model: ModelFile, val numThreads: Int)

/** An image to be classified; it may depend on the model, as a drawing's line width does. */
fun interface Scene {
    /**
     * Makes the picture.
     *
     * @throws org.cnnkeras.demo.image.ImageException if it cannot be read
     */
    fun decode(model: ModelFile): Decoded
}
