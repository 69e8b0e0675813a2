package org.cnnkeras.demo.ui

import android.app.Activity
import android.content.Intent
import android.net.Uri
import android.os.Looper
import android.os.SystemClock
import android.view.MotionEvent
import android.view.View
import android.widget.TextView
import java.io.File
import org.cnnkeras.demo.engine.EngineFactory
import org.cnnkeras.demo.engine.HostEngineFactory
import org.cnnkeras.demo.ui.state.StateHolder
import org.cnnkeras.demo.ui.state.UiState
import org.junit.Assert.fail
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** The app with the inference runtime of this machine instead of that of a phone. */
class TestApplication : DemoApplication() {
    override val engines: EngineFactory get() = HostEngineFactory()

    override fun onCreate() {
        super.onCreate()
        crash = null
        Thread.setDefaultUncaughtExceptionHandler { _, error -> crash = error }
    }
}

/** The exception that would have crashed the app. */
@Volatile
private var crash: Throwable? = null

/** The state holder of the app under test. */
val stateHolder: StateHolder
    get() = (RuntimeEnvironment.getApplication() as DemoApplication).stateHolder

/** Runs the main looper until a condition is true; fails after 30 seconds. */
fun await(description: String, condition: () -> Boolean) {
    val end = System.nanoTime() + 30_000_000_000
    while (!condition()) {
        crash?.let { throw AssertionError("The app has crashed", it) }
        if (System.nanoTime() > end) {
            fail("Timeout while waiting for $description; the state is ${stateHolder.state}")
        }
        Thread.sleep(5)
        shadowOf(Looper.getMainLooper()).idle()
    }
}

/** Waits for a state and returns it. */
inline fun <reified S : UiState> awaitState(crossinline condition: (S) -> Boolean = { true }): S {
    await(S::class.java.simpleName) {
        val state = stateHolder.state
        if (state is UiState.Failed && state !is S) fail(state.message)
        state is S && condition(state)
    }
    return stateHolder.state as S
}

/** Waits until the app is idle. */
fun awaitIdle() {
    var isDone = false
    stateHolder.loadHistory { isDone = true } // runs after all queued work
    await("idle") { isDone }
    shadowOf(Looper.getMainLooper()).idle()
}

/** Returns the URI of a file in `tests/fixtures`. */
fun fixture(path: String): Uri = Uri.fromFile(File("../../tests/fixtures", path).canonicalFile)

/** Returns the intent of another app that shares an image. */
fun shareIntent(image: Uri): Intent = Intent(Intent.ACTION_SEND).setType("image/*")
    .putExtra(Intent.EXTRA_STREAM, image)

/** Returns the text of a view. */
fun Activity.text(id: Int): String = requireViewById<TextView>(id).text.toString()

/** Returns whether a view and all its ancestors are visible. */
fun Activity.isVisible(id: Int): Boolean = findViewById<View>(id)?.isShown ?: false

/** Draws a stroke on a view; coordinates are from 0 to 1. */
fun View.draw(vararg points: Pair<Float, Float>) {
    touch(MotionEvent.ACTION_DOWN, points.first())
    // As many events as a finger causes.
    for ((from, to) in points.toList().zipWithNext()) {
        for (step in 1..10) {
            val x = from.first + (to.first - from.first) * step / 10
            val y = from.second + (to.second - from.second) * step / 10
            touch(MotionEvent.ACTION_MOVE, x to y)
        }
    }
    touch(MotionEvent.ACTION_UP, points.last())
}

private fun View.touch(action: Int, point: Pair<Float, Float>) {
    val now = SystemClock.uptimeMillis()
    val (x, y) = point
    dispatchTouchEvent(MotionEvent.obtain(now, now, action, x * width, y * height, 0))
}

/** Draws a 7 with a bar. */
fun View.drawSeven() = DIGITS.getValue("7").forEach { draw(*it.toTypedArray()) }

/** The strokes of all ten digits. */
val DIGITS: Map<String, List<List<Pair<Float, Float>>>> = mapOf(
    "0" to listOf(
        listOf(0.5f to 0.1f, 0.3f to 0.25f, 0.25f to 0.5f, 0.3f to 0.75f, 0.5f to 0.9f) +
            listOf(0.7f to 0.75f, 0.75f to 0.5f, 0.7f to 0.25f, 0.5f to 0.1f),
    ),
    "1" to listOf(listOf(0.5f to 0.1f, 0.5f to 0.9f)),
    "2" to listOf(
        listOf(0.3f to 0.3f, 0.35f to 0.17f, 0.5f to 0.1f, 0.65f to 0.2f, 0.65f to 0.35f) +
            listOf(0.5f to 0.6f, 0.28f to 0.88f, 0.72f to 0.88f),
    ),
    "3" to listOf(
        listOf(0.3f to 0.2f, 0.5f to 0.1f, 0.68f to 0.22f, 0.6f to 0.42f, 0.45f to 0.48f) +
            listOf(0.65f to 0.55f, 0.7f to 0.75f, 0.5f to 0.9f, 0.28f to 0.8f),
    ),
    "4" to listOf(
        listOf(0.55f to 0.1f, 0.25f to 0.6f, 0.75f to 0.6f),
        listOf(0.6f to 0.4f, 0.6f to 0.9f),
    ),
    "5" to listOf(
        listOf(0.7f to 0.1f, 0.35f to 0.1f, 0.32f to 0.45f, 0.5f to 0.42f, 0.68f to 0.55f) +
            listOf(0.68f to 0.75f, 0.5f to 0.9f, 0.3f to 0.85f),
    ),
    "6" to listOf(
        listOf(0.62f to 0.1f, 0.42f to 0.35f, 0.32f to 0.65f, 0.42f to 0.88f, 0.6f to 0.88f) +
            listOf(0.68f to 0.7f, 0.55f to 0.55f, 0.38f to 0.65f),
    ),
    "7" to listOf(
        listOf(0.3f to 0.15f, 0.7f to 0.15f, 0.42f to 0.85f),
        listOf(0.35f to 0.5f, 0.68f to 0.5f),
    ),
    "8" to listOf(
        listOf(0.5f to 0.5f, 0.33f to 0.35f, 0.38f to 0.15f, 0.5f to 0.1f, 0.64f to 0.17f) +
            listOf(0.66f to 0.35f, 0.5f to 0.5f, 0.32f to 0.68f, 0.4f to 0.88f, 0.5f to 0.9f) +
            listOf(0.66f to 0.82f, 0.68f to 0.65f, 0.5f to 0.5f),
    ),
    "9" to listOf(
        listOf(0.65f to 0.25f, 0.5f to 0.1f, 0.35f to 0.25f, 0.42f to 0.45f, 0.62f to 0.4f) +
            listOf(0.65f to 0.25f, 0.62f to 0.6f, 0.5f to 0.9f),
    ),
)
