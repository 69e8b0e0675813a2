package org.cnnkeras.demo.ui.screens

import android.app.Activity
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.ImageButton
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.ui.DemoApplication
import org.cnnkeras.demo.ui.state.StateHolder
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.views.enableEdgeToEdge
import org.cnnkeras.demo.ui.views.isVisible
import org.cnnkeras.demo.ui.views.requireView
import org.cnnkeras.demo.ui.views.setTextIfChanged

/** A screen that renders the state of the app. */
abstract class BaseActivity : Activity() {
    protected val stateHolder: StateHolder get() = (application as DemoApplication).stateHolder

    private var stopObserving: () -> Unit = {}

    /** Renders a state. */
    abstract fun render(state: UiState)

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        stateHolder.onScreenCreated()
        if (opensModel()) openModel(savedInstanceState)
    }

    /** Whether the screen opens a model if none is open. */
    protected open fun opensModel(): Boolean = true

    private fun openModel(savedInstanceState: Bundle?) {
        val name = savedInstanceState?.getString(EXTRA_MODEL) ?: intent.getStringExtra(EXTRA_MODEL)
        val numThreads = savedInstanceState?.getInt(EXTRA_THREADS) ?: requestedNumThreads()
        val entry = name?.let(stateHolder::find) ?: stateHolder.entries().firstOrNull()
        if (entry != null) stateHolder.openIfNone(entry, numThreads)
    }

    /** Sets the layout and connects the views that all screens have. */
    protected fun setLayout(layout: Int) {
        setContentView(layout)
        val screen = findViewById<ViewGroup>(android.R.id.content)!!.getChildAt(0)
        val scrolling = listOfNotNull<View>(
            findViewById(R.id.scroll),
            findViewById(R.id.scroll_second_column),
        )
        enableEdgeToEdge(screen, scrolling)
        requireView<View>(R.id.dismiss).setOnClickListener { stateHolder.dismissMessage() }
        findViewById<ImageButton>(R.id.back)?.setOnClickListener { finish() }
    }

    /** Opens the current model again with another number of threads. */
    protected fun setNumThreads(count: Int) {
        stateHolder.state.settled.openModel?.let { stateHolder.open(it.entry, count) }
    }

    override fun onStart() {
        super.onStart()
        stopObserving = stateHolder.observe { state ->
            val message = (state as? UiState.Failed)?.message
            requireView<TextView>(R.id.error_message).setTextIfChanged(message.orEmpty())
            requireView<View>(R.id.error_banner).isVisible = message != null
            render(state)
        }
    }

    override fun onStop() {
        stopObserving()
        super.onStop()
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        val open = stateHolder.state.settled.openModel ?: return
        outState.putString(EXTRA_MODEL, open.entry.fileName)
        outState.putInt(EXTRA_THREADS, open.numThreads)
    }

    override fun onDestroy() {
        stateHolder.onScreenDestroyed(isRecreated = isChangingConfigurations)
        super.onDestroy()
    }

    /** Returns the number of threads that the intent requests, within the supported range. */
    protected fun requestedNumThreads(): Int =
        intent.getIntExtra(EXTRA_THREADS, 1).coerceIn(1, MAX_THREADS)

    companion object {
        /** The file name of a model, with or without `.tflite`. */
        const val EXTRA_MODEL = "model"

        /** The number of threads, an integer. */
        const val EXTRA_THREADS = "threads"

        private const val MAX_THREADS = 16
    }
}
