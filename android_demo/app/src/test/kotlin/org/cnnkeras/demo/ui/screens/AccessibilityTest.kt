package org.cnnkeras.demo.ui.screens

import android.app.Activity
import android.view.View
import android.view.ViewGroup
import android.widget.ImageView
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.ui.TestApplication
import org.cnnkeras.demo.ui.awaitIdle
import org.cnnkeras.demo.ui.awaitState
import org.cnnkeras.demo.ui.drawSeven
import org.cnnkeras.demo.ui.fixture
import org.cnnkeras.demo.ui.shareIntent
import org.cnnkeras.demo.ui.state.UiState
import org.cnnkeras.demo.ui.stateHolder
import org.cnnkeras.demo.ui.text
import org.cnnkeras.demo.ui.views.DrawingView
import org.cnnkeras.demo.ui.views.PixelsView
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric.buildActivity
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Touch targets, descriptions and large text on all screens of the smallest phone. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class, qualifiers = "w320dp-h568dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class AccessibilityTest {
    /** Returns all screens with as much content as possible. */
    private fun screens(): List<Activity> {
        val start = shareIntent(fixture("images/digit_7.png"))
            .putExtra(BaseActivity.EXTRA_MODEL, "lenet5_mnist_float32")
        val main = buildActivity(MainActivity::class.java, start).setup()
        awaitState<UiState.Classified>()
        val pad = buildActivity(DrawingActivity::class.java).setup()
        pad.get().requireViewById<View>(R.id.drawing_pad).drawSeven()
        val camera = buildActivity(CameraActivity::class.java).setup().pause().resume()
        val benchmark = buildActivity(BenchmarkActivity::class.java).setup()
        val open = awaitState<UiState.Classified>().openModel
        stateHolder.runBenchmark(open.entry, 1, 0.05)
        awaitIdle()
        stateHolder.reportError("Something went wrong.")
        awaitIdle()
        return listOf(main, pad, camera, benchmark).map { it.get() }
    }

    private fun views(activity: Activity): List<View> =
        all(activity.requireViewById(android.R.id.content)).filter { it.isShown }

    private fun all(view: View): List<View> = listOf(view) +
        ((view as? ViewGroup)?.let { group ->
            (0 until group.childCount).flatMap { all(group.getChildAt(it)) }
        } ?: emptyList())

    private fun describe(view: View): String {
        val text = (view as? TextView)?.let { "'${it.text}', ${it.layout?.height} px high" }
        val lines = (view as? TextView)?.layout?.let { layout ->
            (0 until layout.lineCount).map { layout.getLineMax(it) }
        }
        return "$view ${text.orEmpty()} ${lines ?: ""}"
    }

    private fun assertNone(problem: String, test: (View) -> Boolean) {
        val found = screens().flatMap { screen ->
            views(screen).filter(test).map { "\n${screen.localClassName}: ${describe(it)}" }
        }
        assertEquals("$problem: $found", 0, found.size)
    }

    @Test
    fun touchTargetsAreLargeEnough() = assertNone("Too small for a finger") {
        val minSize = 48 * it.resources.displayMetrics.density
        it.isClickable && (it.width < minSize || it.height < minSize)
    }

    @Test
    fun imagesHaveDescriptions() = assertNone("Without a description") {
        val isImage = it is ImageView || it is PixelsView || it is DrawingView
        isImage && it.isImportantForAccessibility && it.contentDescription.isNullOrEmpty()
    }

    @Test
    fun largestTextFits() {
        RuntimeEnvironment.setFontScale(2f)
        assertNone("Clipped") { it is TextView && it.text.isNotEmpty() && isClipped(it) }
    }

    @Test
    fun largestTextFitsInLandscape() {
        RuntimeEnvironment.setQualifiers("w640dp-h320dp-land-xhdpi")
        RuntimeEnvironment.setFontScale(2f)
        assertNone("Clipped") { it is TextView && it.text.isNotEmpty() && isClipped(it) }
    }

    private fun isClipped(view: TextView): Boolean {
        val layout = view.layout ?: return true
        val available = view.height - view.compoundPaddingTop - view.compoundPaddingBottom
        val isTooHigh = layout.height > available
        val isTooWide = (0 until layout.lineCount).any { layout.getLineMax(it) > layout.width + 1 }
        return isTooHigh || isTooWide || exceedsParent(view)
    }

    private fun exceedsParent(view: View): Boolean =
        generateSequence(view) { it.parent as? View }.any { child ->
            val parent = child.parent as? ViewGroup ?: return@any false
            child.left < 0 || child.right > parent.width + marginEnd(child)
        }

    /** A container may exceed its parent by a negative margin, as its children have margins. */
    private fun marginEnd(view: View): Int =
        (view.layoutParams as? ViewGroup.MarginLayoutParams)?.marginEnd?.let { maxOf(-it, 0) } ?: 0
}
