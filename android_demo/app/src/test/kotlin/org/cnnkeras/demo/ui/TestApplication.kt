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
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.state.Store
import org.junit.Assert.fail
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** The app as it is, but for the runtime: this machine's instead of a phone's. */
class TestApplication : DemoApplication() {
    override val engines: EngineFactory get() = HostEngineFactory()

    override fun onCreate() {
        super.onCreate()
        crash = null
        Thread.setDefaultUncaughtExceptionHandler { _, error -> crash = error }
    }
}

/** What would have ended the app. */
@Volatile
private var crash: Throwable? = null

/** What the screens of a test share. */
val store: Store get() = (RuntimeEnvironment.getApplication() as DemoApplication).store

/** Lets the app work until something is true; half a minute is far more than it may take. */
fun await(what: String, isTrue: () -> Boolean) {
    val end = System.nanoTime() + 30_000_000_000
    while (!isTrue()) {
        crash?.let { throw AssertionError("The app ended", it) }
        if (System.nanoTime() > end) fail("Waited in vain for $what; the state is ${store.state}")
        Thread.sleep(5)
        shadowOf(Looper.getMainLooper()).idle()
    }
}

/** Waits for a state, and returns it. */
inline fun <reified S : State> awaitState(crossinline isWanted: (S) -> Boolean = { true }): S {
    await(S::class.java.simpleName) {
        val state = store.state
        if (state is State.Failed && state !is S) fail(state.problem)
        state is S && isWanted(state)
    }
    return store.state as S
}

/** Waits until the app has done all that it was asked for. */
fun awaitRest() {
    var isDone = false
    store.history { isDone = true } // comes after the rest
    await("rest") { isDone }
    shadowOf(Looper.getMainLooper()).idle()
}

/** A file that Python and the app share. */
fun fixture(path: String): Uri = Uri.fromFile(File("../../tests/fixtures", path).canonicalFile)

/** What a gallery sends when the user shares an image. */
fun shared(image: Uri): Intent = Intent(Intent.ACTION_SEND).setType("image/*")
    .putExtra(Intent.EXTRA_STREAM, image)

/** The visible text of a view. */
fun Activity.text(id: Int): String = requireViewById<TextView>(id).text.toString()

/** Whether a view and all around it are there. */
fun Activity.isVisible(id: Int): Boolean = findViewById<View>(id)?.isShown ?: false

/** Moves a finger over a view along points between 0 and 1. */
fun View.draw(vararg points: Pair<Float, Float>) {
    touch(MotionEvent.ACTION_DOWN, points.first())
    // As dense as a finger is.
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

/** Draws a 7, crossed as the writers of the training data do: most of UCI's sevens are. */
fun View.drawSeven() = DIGITS.getValue("7").forEach { draw(*it.toTypedArray()) }

/** Strokes of all ten digits. */
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
