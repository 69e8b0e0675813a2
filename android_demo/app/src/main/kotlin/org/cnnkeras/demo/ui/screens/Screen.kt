package org.cnnkeras.demo.ui.screens

import android.app.Activity
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.ImageButton
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.ui.DemoApplication
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.state.Store
import org.cnnkeras.demo.ui.views.drawBehindBars
import org.cnnkeras.demo.ui.views.isPresent
import org.cnnkeras.demo.ui.views.part
import org.cnnkeras.demo.ui.views.update

/** A screen that draws the store's state, and does nothing else with it. */
abstract class Screen : Activity() {
    protected val store: Store get() = (application as DemoApplication).store

    private var endObserving: () -> Unit = {}

    /** Draws a state. */
    abstract fun render(state: State)

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        store.enter()
        val name = savedInstanceState?.getString(MODEL) ?: intent.getStringExtra(MODEL)
        val numThreads = savedInstanceState?.getInt(THREADS) ?: requestedThreads()
        val entry = name?.let(store::find) ?: store.entries().firstOrNull()
        if (entry != null) store.wake(entry, numThreads)
    }

    /** Shows a layout, with what all screens have. */
    protected fun show(layout: Int) {
        setContentView(layout)
        val screen = findViewById<ViewGroup>(android.R.id.content)!!.getChildAt(0)
        val scrolling = listOfNotNull<View>(
            findViewById(R.id.scroll),
            findViewById(R.id.scroll_beside),
        )
        drawBehindBars(screen, scrolling)
        part<View>(R.id.dismiss).setOnClickListener { store.dismiss() }
        findViewById<ImageButton>(R.id.back)?.setOnClickListener { finish() }
    }

    /** Opens the same model again with another number of threads. */
    protected fun setThreads(count: Int) {
        store.state.settled.open?.let { store.open(it.entry, count) }
    }

    override fun onStart() {
        super.onStart()
        endObserving = store.observe { state ->
            val problem = (state as? State.Failed)?.problem
            part<TextView>(R.id.problem).update(problem.orEmpty())
            part<View>(R.id.banner).isPresent = problem != null
            render(state)
        }
    }

    override fun onStop() {
        endObserving()
        super.onStop()
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        val open = store.state.settled.open ?: return
        outState.putString(MODEL, open.entry.fileName)
        outState.putInt(THREADS, open.numThreads)
    }

    override fun onDestroy() {
        store.leave(anotherFollows = isChangingConfigurations)
        super.onDestroy()
    }

    /** How many threads a command asks for; as many as a runtime may have, none else. */
    protected fun requestedThreads(): Int = intent.getIntExtra(THREADS, 1).coerceIn(1, MAX_THREADS)

    companion object {
        /** A model's file name, with or without `.tflite`. */
        const val MODEL = "model"

        /** A whole number. */
        const val THREADS = "threads"

        private const val MAX_THREADS = 16
    }
}
