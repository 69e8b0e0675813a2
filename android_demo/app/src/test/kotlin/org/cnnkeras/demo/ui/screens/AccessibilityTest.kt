package org.cnnkeras.demo.ui.screens

import android.app.Activity
import android.view.View
import android.view.ViewGroup
import android.widget.ImageView
import android.widget.TextView
import org.cnnkeras.demo.R
import org.cnnkeras.demo.ui.TestApplication
import org.cnnkeras.demo.ui.awaitRest
import org.cnnkeras.demo.ui.awaitState
import org.cnnkeras.demo.ui.drawSeven
import org.cnnkeras.demo.ui.fixture
import org.cnnkeras.demo.ui.shared
import org.cnnkeras.demo.ui.state.State
import org.cnnkeras.demo.ui.store
import org.cnnkeras.demo.ui.text
import org.cnnkeras.demo.ui.views.PixelsView
import org.cnnkeras.demo.ui.views.SketchView
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric.buildActivity
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode

/** Each screen, on the smallest phone, for fingers, for ears, and with the largest text. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [34], application = TestApplication::class, qualifiers = "w320dp-h568dp-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class AccessibilityTest {
    /** All screens, with all that they can show at once. */
    private fun screens(): List<Activity> {
        val start = shared(fixture("images/digit_7.png"))
            .putExtra(Screen.MODEL, "lenet5_digits_float32")
        val main = buildActivity(MainActivity::class.java, start).setup()
        awaitState<State.Classified>()
        val pad = buildActivity(DrawingActivity::class.java).setup()
        pad.get().requireViewById<View>(R.id.pad).drawSeven()
        val camera = buildActivity(CameraActivity::class.java).setup().pause().resume()
        val benchmark = buildActivity(BenchmarkActivity::class.java).setup()
        val open = awaitState<State.Classified>().open
        store.measure(open.entry, 1, 0.05)
        awaitRest()
        store.fail("Something went wrong.")
        awaitRest()
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

    private fun assertNone(what: String, test: (View) -> Boolean) {
        val found = screens().flatMap { screen ->
            views(screen).filter(test).map { "\n${screen.localClassName}: ${describe(it)}" }
        }
        assertEquals("$what: $found", 0, found.size)
    }

    @Test
    fun whatIsTouchedIsLargeEnough() = assertNone("Too small for a finger") {
        val least = 48 * it.resources.displayMetrics.density
        it.isClickable && (it.width < least || it.height < least)
    }

    @Test
    fun whatIsSeenIsSaid() = assertNone("Without a description") {
        val isPicture = it is ImageView || it is PixelsView || it is SketchView
        isPicture && it.isImportantForAccessibility && it.contentDescription.isNullOrEmpty()
    }

    @Test
    fun largestTextIsNotCutOff() {
        RuntimeEnvironment.setFontScale(2f)
        assertNone("Cut off") { it is TextView && it.text.isNotEmpty() && isCutOff(it) }
    }

    @Test
    fun largestTextIsNotCutOffInLandscape() {
        RuntimeEnvironment.setQualifiers("w640dp-h320dp-land-xhdpi")
        RuntimeEnvironment.setFontScale(2f)
        assertNone("Cut off") { it is TextView && it.text.isNotEmpty() && isCutOff(it) }
    }

    private fun isCutOff(view: TextView): Boolean {
        val layout = view.layout ?: return true
        val room = view.height - view.compoundPaddingTop - view.compoundPaddingBottom
        val isTooHigh = layout.height > room
        val isTooWide = (0 until layout.lineCount).any { layout.getLineMax(it) > layout.width + 1 }
        return isTooHigh || isTooWide || reachesBeyondParent(view)
    }

    private fun reachesBeyondParent(view: View): Boolean =
        generateSequence(view) { it.parent as? View }.any { child ->
            val parent = child.parent as? ViewGroup ?: return@any false
            child.left < 0 || child.right > parent.width + marginEnd(child)
        }

    /** Containers whose children bring a margin reach beyond their parent by as much. */
    private fun marginEnd(view: View): Int =
        (view.layoutParams as? ViewGroup.MarginLayoutParams)?.marginEnd?.let { maxOf(-it, 0) } ?: 0
}
